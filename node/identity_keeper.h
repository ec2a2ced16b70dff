#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "certs/identity.h"
#include "node/config.h"
#include "node/metrics.h"
#include "pipe/tls.h"

namespace rp::node {

/// The node's identity, loaded at start and again whenever its files change, without touching a
/// pipe that is up. A change that does not check keeps the last good identity.
///
/// tls() is safe from any thread; the rest belongs to the main thread, because it reads files.
class IdentityKeeper {
 public:
  /// Throws StartupError (identity or certificate).
  IdentityKeeper(const Config& config, Registry& metrics);

  /// For the next handshake.
  std::shared_ptr<const pipe::TlsContext> tls() const;
  /// The node's name by its certificate.
  std::string name() const { return tls()->identity().name(); }

  /// Loads again if a file has changed; true if there is a new identity. Warns as the certificate
  /// comes close to its end, once per threshold.
  bool refresh();

 private:
  std::shared_ptr<const pipe::TlsContext> load() const;
  void warn_of_expiry();

  const certs::IdentityFiles files_;
  const certs::Role role_;
  const certs::StaleCrl stale_crl_;
  certs::IdentityStamp stamp_;
  int warned_days_ = -1;      // the threshold that was last warned of; -1 for none
  mutable std::mutex mutex_;  // guards tls_
  std::shared_ptr<const pipe::TlsContext> tls_;
  Registry::Callback expiry_metric_;
};

}  // namespace rp::node
