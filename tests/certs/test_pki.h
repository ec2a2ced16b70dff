#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "certs/identity.h"

/// A throw-away PKI with one good set and every kind of certificate that a mutual-TLS peer must
/// refuse. Link `rp_test_pki`.
namespace rp::certs::testing {

/// What is wrong with an identity, and why a peer that trusts the good CA must refuse it.
enum class Kind {
  good,        ///< right CA, SAN and EKU: the only one to accept
  otherca,     ///< right names, signed by a CA that nobody trusts
  selfsigned,  ///< right names, signed by itself
  expired,     ///< notAfter was five days ago
  future,      ///< notBefore is next year
  wrongeku,    ///< clientAuth on a server certificate, serverAuth on a client certificate
  cnonly,      ///< right CN, no subjectAltName
  wrongname,   ///< SAN elsewhere.example: a client must refuse such a server; a server that gets it
               ///< from a client sees the peer "elsewhere.example"
  wildcard,    ///< SANs *.example and *
  nulname,     ///< DNS SAN "NAME\0.evil.example"
  revoked,     ///< listed in crl(); to be refused by whoever has that CRL installed
  viachild,    ///< signed by the good leaf, which is no CA; the chain is in the file
  weakrsa,     ///< RSA 1024
  sha1,        ///< signed with SHA-1
  nullcn,      ///< good SAN, a CN with CR, LF, quotes and ESC: acceptable if logs stay intact
  deep,        ///< twelve intermediate CAs; the chain is in the file
  big,         ///< 8000 DNS SANs: a certificate of about 150 kB
};

/// Every kind that is refused by anyone who trusts ca_certificate(), has crl() installed and
/// expects the server name and the peer names it knows (wrongname differs per side, nullcn is
/// acceptable).
inline constexpr std::array kRefusedKinds{
    Kind::otherca, Kind::selfsigned, Kind::expired, Kind::future,  Kind::wrongeku,
    Kind::cnonly,  Kind::wildcard,   Kind::nulname, Kind::revoked, Kind::viachild,
    Kind::weakrsa, Kind::sha1,       Kind::deep,    Kind::big,
};

std::string_view to_string(Kind kind) noexcept;

/// Owns a temporary directory with a CA and the identities asked of it; removed at the end.
///
/// Each identity is a plain directory under the reference file names (see certs/identity.h), with
/// the good CA as its ca.crt.pem, keys 0600 and no crl.pem. Certs' own loader refuses most of the
/// hostile ones, so a test that plays the hostile peer gives the files to OpenSSL directly (weakrsa
/// and sha1 only load at `SSL_CTX_set_security_level(ctx, 0)`).
/// Use from one thread. Throws std::runtime_error when OpenSSL or the file system fails.
class TestPki {
 public:
  /// `server_name` is the DNS SAN of server identities, beside IP 127.0.0.1.
  explicit TestPki(std::string server_name = "localhost");
  ~TestPki();
  TestPki(const TestPki&) = delete;
  TestPki& operator=(const TestPki&) = delete;

  const std::filesystem::path& directory() const noexcept { return directory_; }

  /// Directory of the good CA as `restpipe identity ca` makes it (ca.key.pem, ca.crt.pem, crl.pem).
  std::filesystem::path ca_directory() const { return directory_ / "ca"; }
  std::filesystem::path ca_certificate() const { return ca_directory() / "ca.crt.pem"; }

  /// Identity directory of that kind; made at the first call. Clients are called "node-a".
  std::filesystem::path identity(Role role, Kind kind = Kind::good);
  std::filesystem::path server(Kind kind = Kind::good) { return identity(Role::server, kind); }
  std::filesystem::path client(Kind kind = Kind::good) { return identity(Role::client, kind); }

  /// Directory of a good client identity called `name`; made at the first call.
  std::filesystem::path client_named(const std::string& name);

  /// A client certificate of the good CA with that subjectAltName, in OpenSSL's extension syntax;
  /// for looking at, without a key.
  CertificateHandle client_with_san(const std::string& san);

  /// Files of identity(role, kind).
  IdentityFiles files(Role role, Kind kind = Kind::good) {
    return identity_files(identity(role, kind), role);
  }

  /// PEM file with a fresh CRL that lists both `revoked` identities.
  std::filesystem::path crl();
  /// The same list, its nextUpdate 55 days ago.
  std::filesystem::path stale_crl();
  /// Copies `crl` to where a node with that identity directory looks for it.
  static void install_crl(const std::filesystem::path& crl,
                          const std::filesystem::path& identity_directory);

 private:
  std::string name_of(Role role) const;
  void make_good(Role role, const std::string& name, const std::filesystem::path& target);
  void write_lists();
  void make_hostile(Role role, Kind kind, const std::filesystem::path& target);

  const std::string server_name_;
  std::filesystem::path directory_;
  // Guards the map: both ends of a pipe ask on threads of their own. A chain through an identity
  // asks for that one in its turn.
  std::recursive_mutex mutex_;
  std::map<std::pair<Role, Kind>, std::filesystem::path> made_;
};

}  // namespace rp::certs::testing
