#pragma once

#include <string>
#include <vector>

#include "certs/handles.h"
#include "certs/identity.h"

/// What a certificate says, as plain values. Nothing here judges; text from the certificate is
/// escaped where it is meant to be shown.
namespace rp::certs {

struct CertificateFacts {
  std::string subject;                    ///< RFC 2253 form, control bytes escaped
  std::string issuer;                     ///< the same
  std::string serial;                     ///< upper-case hexadecimal without separators
  std::vector<std::string> dns_names;     ///< escaped
  std::vector<std::string> ip_addresses;  ///< in text form
  WallTime not_before;
  WallTime not_after;
  std::string key_type;            ///< for example "EC P-256" or "RSA 2048"
  std::string fingerprint_sha256;  ///< AB:CD:..
  bool authority = false;
  bool server_auth = false;  ///< usable as a TLS server
  bool client_auth = false;  ///< usable as a TLS client
};

CertificateFacts describe(x509_st* certificate);

WallTime not_before_of(const x509_st* certificate);
WallTime not_after_of(const x509_st* certificate);
/// Upper-case hexadecimal, an even number of digits, without separators: the form `openssl ca`
/// uses.
std::string serial_of(const x509_st* certificate);

/// "2026-11-21T00:00:00Z".
std::string utc_text(WallTime time);

}  // namespace rp::certs
