#include "certs/identity.h"

#include <array>
#include <sys/stat.h>
#include <utility>

#include <openssl/x509.h>

#include "certs/files.h"
#include "certs/peer.h"
#include "certs/pem.h"
#include "certs/replace.h"
#include "certs/trust.h"
#include "certs/x509_facts.h"

namespace rp::certs {
namespace fs = std::filesystem;
namespace {

constexpr const char* kDefaultDirectory = "/var/lib/restpipe";

std::string environment_or(const std::function<const char*(const char*)>& get, const char* variable,
                           std::string otherwise) {
  const char* value = get(variable);
  return value != nullptr && *value != '\0' ? value : std::move(otherwise);
}

void check_dates(const x509_st* certificate, WallTime now, const fs::path& origin) {
  if (now > not_after_of(certificate))
    throw Error(ErrorKind::expired, "certificate " + origin.string() + " expired at " +
                                        utc_text(not_after_of(certificate)));
  if (now < not_before_of(certificate))
    throw Error(ErrorKind::not_yet_valid, "certificate " + origin.string() +
                                              " is not valid before " +
                                              utc_text(not_before_of(certificate)));
}

void check_pair(x509_st* certificate, evp_pkey_st* key, const IdentityFiles& origins) {
  if (X509_check_private_key(certificate, key) == 1) return;
  openssl_reason();  // empties the error queue
  throw Error(ErrorKind::mismatch, "private key " + origins.key.string() +
                                       " does not belong to certificate " +
                                       origins.certificate.string());
}

std::string checked_name(const x509_st* certificate, const fs::path& origin) {
  const PeerIdentity self = peer_identity(certificate);
  if (self) return self.name;
  throw Error(ErrorKind::no_name, origin.string() + " names no node: " + self.refused);
}

}  // namespace

std::string_view name(Role role) noexcept { return role == Role::server ? "server" : "client"; }

FileNames default_file_names(Role role) {
  const std::string stem = "restpipe." + std::string(name(role));
  return FileNames{stem + ".key.pem", stem + ".crt.pem"};
}

FileNames file_names_from_environment(Role role,
                                      const std::function<const char*(const char*)>& get) {
  const bool server = role == Role::server;
  FileNames names = default_file_names(role);
  names.key =
      environment_or(get, server ? "RP_SERVER_KEY_FILENAME" : "RP_CLIENT_KEY_FILENAME", names.key);
  names.certificate = environment_or(
      get, server ? "RP_SERVER_CRT_FILENAME" : "RP_CLIENT_CRT_FILENAME", names.certificate);
  names.ca = environment_or(get, "RP_CA_CRT_FILENAME", names.ca);
  return names;
}

fs::path directory_from_environment(Role role, const std::function<const char*(const char*)>& get) {
  return environment_or(get, role == Role::server ? "RP_SERVER_CERT_PATH" : "RP_CLIENT_CERT_PATH",
                        kDefaultDirectory);
}

IdentityFiles identity_files(const fs::path& directory, const FileNames& names) {
  return {directory / names.key, directory / names.certificate, directory / names.ca,
          directory / names.crl};
}

IdentityFiles identity_files(const fs::path& directory, Role role) {
  return identity_files(directory, default_file_names(role));
}

struct Identity::Parts {
  Role role;
  IdentityFiles files;
  std::string name;
  WallTime not_before;
  WallTime not_after;
  KeyHandle key;
  CertificateHandle certificate;
  std::vector<CertificateHandle> intermediates;
  std::vector<CertificateHandle> authorities;
  std::vector<CrlHandle> crls;
};

Identity::Identity(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Identity::Identity(Identity&&) noexcept = default;
Identity& Identity::operator=(Identity&&) noexcept = default;
Identity::~Identity() = default;

Identity Identity::load(const IdentityFiles& files, Role role, WallTime now) {
  IdentityPem pem;
  const ClearOnExit clear{pem.key};
  pem.key = read_key_file(settled(files.key));
  pem.certificate = read_file(settled(files.certificate));
  pem.ca = read_file(settled(files.ca));
  pem.crl = read_optional_file(settled(files.crl));
  return from_pem(pem, files, role, now);
}

Identity Identity::from_pem(const IdentityPem& pem, const IdentityFiles& origins, Role role,
                            WallTime now) {
  auto parts = std::make_unique<Parts>();
  parts->role = role;
  parts->files = origins;
  parts->key = private_key_from_pem(pem.key, origins.key);
  auto chain = certificates_from_pem(pem.certificate, origins.certificate);
  parts->certificate = std::move(chain.front());
  chain.erase(chain.begin());
  parts->intermediates = std::move(chain);
  parts->authorities = certificates_from_pem(pem.ca, origins.ca);
  if (!pem.crl.empty()) parts->crls = crls_from_pem(pem.crl, origins.crl);

  x509_st* const certificate = parts->certificate.get();
  check_pair(certificate, parts->key.get(), origins);
  check_dates(certificate, now, origins.certificate);
  verify_crls(parts->crls, parts->authorities, parts->intermediates, origins.crl);
  // An old list still says whom it revoked; whether peers get in with it is decided elsewhere.
  const StoreHandle store = build_store(parts->authorities, parts->crls, role, StaleCrl::accept);
  verify_chain(store.get(), certificate, parts->intermediates, now, origins.certificate);
  parts->name = checked_name(certificate, origins.certificate);
  parts->not_before = not_before_of(certificate);
  parts->not_after = not_after_of(certificate);
  return Identity(std::move(parts));
}

std::string check_without_authority(const IdentityPem& pem, const IdentityFiles& origins,
                                    WallTime now) {
  const KeyHandle key = private_key_from_pem(pem.key, origins.key);
  const auto chain = certificates_from_pem(pem.certificate, origins.certificate);
  check_pair(chain.front().get(), key.get(), origins);
  check_dates(chain.front().get(), now, origins.certificate);
  return checked_name(chain.front().get(), origins.certificate);
}

const std::string& Identity::name() const noexcept { return parts_->name; }
Role Identity::role() const noexcept { return parts_->role; }
const IdentityFiles& Identity::files() const noexcept { return parts_->files; }
WallTime Identity::not_before() const noexcept { return parts_->not_before; }
WallTime Identity::not_after() const noexcept { return parts_->not_after; }
x509_st* Identity::certificate() const noexcept { return parts_->certificate.get(); }
evp_pkey_st* Identity::private_key() const noexcept { return parts_->key.get(); }
const std::vector<CertificateHandle>& Identity::intermediates() const noexcept {
  return parts_->intermediates;
}
const std::vector<CertificateHandle>& Identity::authorities() const noexcept {
  return parts_->authorities;
}
const std::vector<CrlHandle>& Identity::crls() const noexcept { return parts_->crls; }

IdentityStamp::FileStamp IdentityStamp::stamp(const fs::path& path) {
  struct stat status {};
  if (::stat(settled(path).c_str(), &status) != 0) return {};
  const auto nanoseconds = [](const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  };
  return {true, status.st_ino, static_cast<std::uint64_t>(status.st_size),
          nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

IdentityStamp IdentityStamp::of(const IdentityFiles& files) {
  IdentityStamp all;
  all.key_ = stamp(files.key);
  all.certificate_ = stamp(files.certificate);
  all.ca_ = stamp(files.ca);
  all.crl_ = stamp(files.crl);
  return all;
}

int expiry_warning_days(WallTime not_after, WallTime now) noexcept {
  constexpr std::array kThresholdsDays{1, 7, 14, 30};
  if (now > not_after) return 0;
  for (const int days : kThresholdsDays)
    if (not_after - now <= std::chrono::days(days)) return days;
  return -1;
}

}  // namespace rp::certs
