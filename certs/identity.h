#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certs/error.h"
#include "certs/handles.h"

namespace rp::certs {

using WallTime = std::chrono::system_clock::time_point;

/// Which end of the pipe a certificate speaks for; decides file names and the key usage demanded.
enum class Role : std::uint8_t { server, client };

std::string_view name(Role role) noexcept;

/// Names of an identity's files inside its directory; an absolute name stands for itself.
struct FileNames {
  std::string key;
  std::string certificate;  ///< the node's certificate, then its intermediates, if any
  std::string ca = "ca.crt.pem";
  std::string crl = "crl.pem";
};

/// restpipe.server.key.pem and so on.
FileNames default_file_names(Role role);

/// The same with RP_{SERVER,CLIENT}_{KEY,CRT}_FILENAME and RP_CA_CRT_FILENAME applied. `get`
/// returns null for what is not set, like std::getenv; an empty value counts as not set.
FileNames file_names_from_environment(Role role,
                                      const std::function<const char*(const char*)>& get);

/// RP_SERVER_CERT_PATH or RP_CLIENT_CERT_PATH, else /var/lib/restpipe.
std::filesystem::path directory_from_environment(
    Role role, const std::function<const char*(const char*)>& get);

/// Where the files of one identity are.
struct IdentityFiles {
  std::filesystem::path key;
  std::filesystem::path certificate;
  std::filesystem::path ca;
  std::filesystem::path crl;  ///< optional: no file, no revocation check
};

IdentityFiles identity_files(const std::filesystem::path& directory, const FileNames& names);
IdentityFiles identity_files(const std::filesystem::path& directory, Role role);

/// The texts of one identity's files.
struct IdentityPem {
  std::string key;
  std::string certificate;
  std::string ca;
  std::string crl;  ///< empty: none
};

/// A node's own key, certificate and trust, checked as a whole; immutable, so threads may share it.
///
/// load() is all or nothing: a reload that throws leaves the caller with the identity it has.
class Identity {
 public:
  /// Reads and checks: every file exists and is readable; the key file is owned by this user or
  /// root and closed to everyone else (mode 0600 or stricter); key and certificate belong together;
  /// the key is EC P-256 or stronger, Ed25519 or RSA of at least 2048 bits; the chain leads to the
  /// CA with the role's purpose and is not revoked; `now` lies in its validity; its first DNS SAN
  /// is an acceptable name (certs/names.h). Throws Error. Blocks on disk: not for an I/O thread.
  static Identity load(const IdentityFiles& files, Role role,
                       WallTime now = std::chrono::system_clock::now());

  /// The same for texts that are not in place yet; `origins` are the files that errors name.
  static Identity from_pem(const IdentityPem& pem, const IdentityFiles& origins, Role role,
                           WallTime now = std::chrono::system_clock::now());

  Identity(Identity&&) noexcept;
  Identity& operator=(Identity&&) noexcept;
  ~Identity();

  /// First DNS name of the certificate: who this node is.
  const std::string& name() const noexcept;
  Role role() const noexcept;
  const IdentityFiles& files() const noexcept;
  WallTime not_before() const noexcept;
  WallTime not_after() const noexcept;

  // Handles for configuring an SSL_CTX. Borrowed: valid while this object lives; whoever keeps one
  // longer takes its own reference.
  x509_st* certificate() const noexcept;
  evp_pkey_st* private_key() const noexcept;
  /// What follows the certificate in its file, in that order: to be sent in the handshake.
  const std::vector<CertificateHandle>& intermediates() const noexcept;
  /// Whom peers are verified against; never empty. Give to certs::make_trust_store().
  const std::vector<CertificateHandle>& authorities() const noexcept;
  /// Empty when there is no CRL file. Each was verified against its authority by load().
  const std::vector<CrlHandle>& crls() const noexcept;

 private:
  struct Parts;
  explicit Identity(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

/// The part of the checks that needs no authority: key and certificate belong together, it is valid
/// now and names a node. For installing before the CA is known. Throws Error; returns the name.
std::string check_without_authority(const IdentityPem& pem, const IdentityFiles& origins,
                                    WallTime now = std::chrono::system_clock::now());

/// What a watcher remembers of an identity's files to notice a change: size, time and inode of
/// each. A missing file has a stamp too, so a CRL that appears or goes is a change.
class IdentityStamp {
 public:
  /// Never throws: a file that cannot be looked at counts as missing.
  static IdentityStamp of(const IdentityFiles& files);
  bool operator==(const IdentityStamp&) const = default;

 private:
  struct FileStamp {
    bool present = false;
    std::uint64_t inode = 0;
    std::uint64_t size_bytes = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const FileStamp&) const = default;
  };
  static FileStamp stamp(const std::filesystem::path& path);

  FileStamp key_, certificate_, ca_, crl_;
};

/// The tightest of the thresholds 30, 14, 7 and 1 days that `not_after` has come within, in days; 0
/// when it has passed; -1 when there is nothing to warn of.
int expiry_warning_days(WallTime not_after, WallTime now) noexcept;

}  // namespace rp::certs
