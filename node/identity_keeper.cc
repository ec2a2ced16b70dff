#include "node/identity_keeper.h"

#include <utility>

#include "pipe/log.h"

namespace rp::node {
namespace {

certs::IdentityFiles files_of(const Config& config) {
  return certs::identity_files(config.identity_dir, {.key = config.identity_key_file,
                                                     .certificate = config.identity_crt_file,
                                                     .ca = config.identity_ca_file,
                                                     .crl = config.identity_crl_file});
}

}  // namespace

IdentityKeeper::IdentityKeeper(const Config& config, Registry& metrics)
    : files_(files_of(config)),
      role_(config.role == Role::server ? certs::Role::server : certs::Role::client),
      stale_crl_(config.identity_stale_crl),
      stamp_(certs::IdentityStamp::of(files_)) {
  try {
    tls_ = load();
  } catch (const certs::Error& e) {
    throw StartupError(static_cast<ExitCode>(certs::exit_code(e.kind())), e.what());
  }
  warn_of_expiry();
  expiry_metric_ =
      metrics.callback("restpipe_certificate_expiry_timestamp_seconds",
                       "When the node's own certificate ends, as Unix time.", {}, [this] {
                         const auto end = tls()->identity().not_after().time_since_epoch();
                         return std::chrono::duration<double>(end).count();
                       });
}

std::shared_ptr<const pipe::TlsContext> IdentityKeeper::load() const {
  auto identity = std::make_shared<certs::Identity>(certs::Identity::load(files_, role_));
  return std::make_shared<pipe::TlsContext>(std::move(identity), stale_crl_);
}

std::shared_ptr<const pipe::TlsContext> IdentityKeeper::tls() const {
  const std::lock_guard lock(mutex_);
  return tls_;
}

bool IdentityKeeper::refresh() {
  warn_of_expiry();
  const auto stamp = certs::IdentityStamp::of(files_);
  if (stamp == stamp_) return false;
  stamp_ = stamp;
  try {
    auto fresh = load();
    const std::lock_guard lock(mutex_);
    tls_ = std::move(fresh);
  } catch (const certs::Error& e) {
    log(LogLevel::error, "identity", "The changed identity is not usable; the last one stays",
        {{"reason", e.what()}});
    return false;
  }
  warned_days_ = -1;
  log(LogLevel::info, "identity", "A changed identity is in use", {{"name", name()}});
  return true;
}

void IdentityKeeper::warn_of_expiry() {
  const auto not_after = tls()->identity().not_after();
  const int days = certs::expiry_warning_days(not_after, std::chrono::system_clock::now());
  if (days < 0 || days == warned_days_) return;
  warned_days_ = days;
  if (days == 0) {
    log(LogLevel::error, "identity", "The node's certificate has expired");
  } else {
    log(LogLevel::warning, "identity", "The node's certificate ends soon",
        {{"days_at_most", days}});
  }
}

}  // namespace rp::node
