#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "certs/handles.h"

/// PEM text to handles and back. `origin` is the file that an Error names.
namespace rp::certs {

/// Asked for the passphrase of an encrypted key; nothing when nobody can be asked.
using PassphrasePrompt = std::function<std::optional<std::string>()>;

/// At least one certificate. Throws Error (malformed).
std::vector<CertificateHandle> certificates_from_pem(std::string_view pem,
                                                     const std::filesystem::path& origin);

/// At least one CRL. Throws Error (malformed).
std::vector<CrlHandle> crls_from_pem(std::string_view pem, const std::filesystem::path& origin);

/// A private key of a type that TLS 1.3 can sign with (EC, RSA, RSA-PSS, Ed25519, Ed448). Without a
/// prompt an encrypted key is refused. Throws Error (malformed).
KeyHandle private_key_from_pem(std::string_view pem, const std::filesystem::path& origin,
                               const PassphrasePrompt& prompt = {});

std::string to_pem(x509_st* certificate);
std::string to_pem(X509_crl_st* crl);
/// PKCS #8, not encrypted.
std::string to_pem(evp_pkey_st* key);

/// Overwrites a text that holds a key on every way out of the scope, so that it does not stay
/// behind in freed memory.
struct ClearOnExit {
  std::string& text;
  ~ClearOnExit();
};

/// Why OpenSSL's last call failed, in its own words; empties its error queue.
std::string openssl_reason();

}  // namespace rp::certs
