#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "certs/identity.h"
#include "certs/issue_log.h"

namespace rp::certs {

/// How long certificates live. A leaf's default is the longest that public authorities may give
/// (398 days, CA/Browser Forum) less one for leap years and clock skew; more is refused, because a
/// certificate that outlives its node's administrator is one that nobody dares to renew.
inline constexpr int kAuthorityDaysDefault = 3650;
inline constexpr int kAuthorityDaysMax = 7300;
inline constexpr int kLeafDaysDefault = 397;
inline constexpr int kLeafDaysMax = 398;

struct AuthorityOptions {
  std::string common_name = "RestPipe CA";  ///< 1 to 64 printable ASCII characters
  int days = kAuthorityDaysDefault;
};

struct LeafOptions {
  Role role = Role::client;
  std::string name;                      ///< CN and first DNS SAN; acceptable_name() of 63 bytes
  std::vector<std::string> extra_names;  ///< servers: "DNS:x", "IP:y" or x, besides localhost,
                                         ///< 127.0.0.1 and ::1; at most kPeerNamesMax in all
  int days = kLeafDaysDefault;           ///< never beyond the authority's own end
  FileNames file_names;                  ///< in the identity directory; empty: the role's defaults
};

/// A private certificate authority in a directory: ca.key.pem (0600), ca.crt.pem, index.txt (what
/// was issued) and crl.pem (what was revoked). Only P-256 with SHA-256 is made.
///
/// Everything throws Error; what fails leaves the directory as it was. Calls that change the
/// directory take a lock on it, so several programs may use one authority.
class Authority {
 public:
  /// Makes the directory (0700) if need be. Refuses (exists) where an authority already is.
  static Authority create(const std::filesystem::path& directory,
                          const AuthorityOptions& options = {});

  /// Checks key permissions, that key and certificate match and that it is a CA in its validity.
  static Authority open(const std::filesystem::path& directory);

  /// Makes a key and a certificate and puts them with the CA certificate into `out` (made 0700 if
  /// need be), replacing an identity of the same role there. What it made is recorded first, so
  /// nothing goes out that could not be revoked.
  Issued issue(const LeafOptions& options, const std::filesystem::path& out);

  /// Revokes every certificate of a name, or the one with a serial number (hexadecimal, with or
  /// without colons), or the one in a certificate file; writes the CRL. Returns those it concerns,
  /// which may have been revoked before. Throws Error (missing) if there is none.
  ///
  /// The CRL's nextUpdate is the authority's own end: it is carried to the nodes by hand or by
  /// script, so there is no publisher whose silence would mean anything.
  std::vector<Issued> revoke(std::string_view what);

  std::vector<Issued> issued() const;
  const std::filesystem::path& directory() const noexcept { return directory_; }
  std::filesystem::path certificate_path() const { return directory_ / "ca.crt.pem"; }
  std::filesystem::path crl_path() const { return directory_ / "crl.pem"; }
  x509_st* certificate() const noexcept { return certificate_.get(); }

 private:
  Authority(std::filesystem::path directory, KeyHandle key, CertificateHandle certificate);

  std::filesystem::path log_path() const { return directory_ / "index.txt"; }
  std::string log_text(const std::vector<Issued>& log) const;
  std::string make_crl(const std::vector<Issued>& log) const;
  std::vector<Issued*> find(std::vector<Issued>& log, std::string_view what) const;

  std::filesystem::path directory_;
  KeyHandle key_;
  CertificateHandle certificate_;
};

}  // namespace rp::certs
