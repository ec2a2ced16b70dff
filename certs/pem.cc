#include "certs/pem.h"

#include <algorithm>
#include <memory>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "certs/error.h"

namespace rp::certs {
namespace {

struct BioFree {
  void operator()(BIO* bio) const noexcept { BIO_free_all(bio); }
};
using Bio = std::unique_ptr<BIO, BioFree>;

Bio reader(std::string_view text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!bio) throw Error(ErrorKind::internal, "OpenSSL: " + openssl_reason());
  return bio;
}

std::string contents(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

template <class Write>
std::string written(Write write) {
  // Secure memory, if the process has any; else ordinary memory that is cleared when freed.
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (!bio || write(bio.get()) != 1)
    throw Error(ErrorKind::internal, "OpenSSL: " + openssl_reason());
  return contents(bio);
}

// Reads objects until there is no further "-----BEGIN"; text between them is ignored as OpenSSL
// does.
template <class Handle, class Read>
std::vector<Handle> all_of(std::string_view pem, const std::filesystem::path& origin,
                           std::string_view what, Read read) {
  ERR_clear_error();
  const Bio bio = reader(pem);
  std::vector<Handle> found;
  while (auto* object = read(bio.get())) found.emplace_back(object);
  const unsigned long error = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (at_end && !found.empty()) {
    ERR_clear_error();
    return found;
  }
  const std::string why = at_end ? "" : " (" + openssl_reason() + ")";
  ERR_clear_error();
  throw Error(ErrorKind::malformed,
              origin.string() + " is not " + std::string(what) + " in PEM form" + why);
}

struct PromptState {
  const PassphrasePrompt& prompt;
  bool asked = false;
};

int ask_passphrase(char* buffer, int size, int /*to_encrypt*/, void* user) {
  auto& state = *static_cast<PromptState*>(user);
  state.asked = true;
  if (!state.prompt) return -1;
  std::optional<std::string> passphrase = state.prompt();
  if (!passphrase) return -1;
  const std::size_t length = std::min(passphrase->size(), static_cast<std::size_t>(size));
  std::copy_n(passphrase->data(), length, buffer);
  OPENSSL_cleanse(passphrase->data(), passphrase->size());
  return static_cast<int>(length);
}

bool can_sign_in_tls13(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
      return true;
    default:
      return false;
  }
}

}  // namespace

ClearOnExit::~ClearOnExit() { OPENSSL_cleanse(text.data(), text.size()); }

std::string openssl_reason() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : "no reason given";
}

std::vector<CertificateHandle> certificates_from_pem(std::string_view pem,
                                                     const std::filesystem::path& origin) {
  return all_of<CertificateHandle>(pem, origin, "a certificate", [](BIO* bio) {
    return PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  });
}

std::vector<CrlHandle> crls_from_pem(std::string_view pem, const std::filesystem::path& origin) {
  return all_of<CrlHandle>(pem, origin, "a certificate revocation list", [](BIO* bio) {
    return PEM_read_bio_X509_CRL(bio, nullptr, nullptr, nullptr);
  });
}

KeyHandle private_key_from_pem(std::string_view pem, const std::filesystem::path& origin,
                               const PassphrasePrompt& prompt) {
  ERR_clear_error();
  PromptState state{prompt};
  const Bio bio = reader(pem);
  KeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, ask_passphrase, &state));
  if (!key) {
    const std::string why = openssl_reason();
    if (state.asked && !prompt)
      throw Error(ErrorKind::malformed, "private key " + origin.string() +
                                            " is encrypted; a node needs it without a passphrase");
    if (state.asked)
      throw Error(ErrorKind::malformed, "private key " + origin.string() +
                                            " is encrypted and the passphrase is missing "
                                            "or wrong");
    throw Error(ErrorKind::malformed,
                origin.string() + " is not a private key in PEM form (" + why + ")");
  }
  if (!can_sign_in_tls13(key.get()))
    throw Error(ErrorKind::malformed, "private key " + origin.string() +
                                          " is of a type that TLS 1.3 does not use; use EC, RSA or "
                                          "Ed25519");
  return key;
}

std::string to_pem(x509_st* certificate) {
  return written([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

std::string to_pem(X509_crl_st* crl) {
  return written([&](BIO* bio) { return PEM_write_bio_X509_CRL(bio, crl); });
}

std::string to_pem(evp_pkey_st* key) {
  return written([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

}  // namespace rp::certs
