#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace rp::certs {

/// Why an identity, a certificate or an authority could not be used or made.
enum class ErrorKind : std::uint8_t {
  missing,            ///< a file that must exist does not
  unreadable,         ///< a file cannot be opened or read, or is larger than any such file is
  loose_permissions,  ///< a private key that others can read or write, or that another user owns
  malformed,          ///< not what its name says: no PEM, a broken CRL, a key of an unusable type
  mismatch,           ///< key and certificate do not belong together
  untrusted,      ///< the chain does not lead to the CA, is revoked, weak or for another purpose
  expired,        ///< notAfter has passed
  not_yet_valid,  ///< notBefore has not come
  no_name,        ///< no subjectAltName that can be an identity
  bad_argument,   ///< a name, lifetime or address that the caller asked for is not acceptable
  exists,         ///< making it would replace something that must not be replaced
  write_failed,   ///< a file could not be written; what was there before is still there
  internal,       ///< OpenSSL failed where it should not, for example out of memory
};

/// Stable word, for example "loose_permissions".
std::string_view name(ErrorKind kind) noexcept;

/// Exit code of a program that cannot go on because of this: 2 for bad_argument, 6 for expired and
/// not_yet_valid, 1 for exists, write_failed and internal, 5 for every other kind.
int exit_code(ErrorKind kind) noexcept;

/// Thrown by everything in certs/ that reads or makes files. what() is one sentence that names the
/// file and the rule; it never holds key material.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& sentence) : std::runtime_error(sentence), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace rp::certs
