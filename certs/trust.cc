#include "certs/trust.h"

#include <algorithm>
#include <memory>

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "certs/error.h"
#include "certs/pem.h"

namespace rp::certs {
namespace {

// Level 2: 112 bits, so RSA and DH of 2048 bits, no SHA-1 (SSL_CTX_set_security_level(3)).
constexpr int kSecurityLevel = 2;

struct ContextFree {
  void operator()(X509_STORE_CTX* context) const noexcept { X509_STORE_CTX_free(context); }
};

[[noreturn]] void fail_internal() {
  throw Error(ErrorKind::internal, "OpenSSL: " + openssl_reason());
}

// In the place of OpenSSL's check of a CRL's dates and signature. The signature was verified when
// the list was loaded (verify_crls), the dates are what StaleCrl::accept is about.
int accept_loaded_crl(X509_STORE_CTX* /*context*/, X509_CRL* /*crl*/) { return 1; }

ErrorKind kind_of(int verify_error) {
  switch (verify_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return ErrorKind::expired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return ErrorKind::not_yet_valid;
    default:
      return ErrorKind::untrusted;
  }
}

bool signed_by_any(X509_CRL* crl, const std::vector<CertificateHandle>& issuers) {
  return std::any_of(issuers.begin(), issuers.end(), [&](const CertificateHandle& issuer) {
    return X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(issuer.get())) == 0 &&
           X509_CRL_verify(crl, X509_get0_pubkey(issuer.get())) == 1;
  });
}

}  // namespace

StoreHandle build_store(const std::vector<CertificateHandle>& authorities,
                        const std::vector<CrlHandle>& crls, Role purpose, StaleCrl stale) {
  StoreHandle store(X509_STORE_new());
  if (!store) fail_internal();
  for (const CertificateHandle& authority : authorities)
    if (X509_STORE_add_cert(store.get(), authority.get()) != 1) fail_internal();
  for (const CrlHandle& crl : crls)
    if (X509_STORE_add_crl(store.get(), crl.get()) != 1) fail_internal();

  X509_VERIFY_PARAM* rules = X509_STORE_get0_param(store.get());
  X509_VERIFY_PARAM_set_depth(rules, kChainDepthMax);
  X509_VERIFY_PARAM_set_auth_level(rules, kSecurityLevel);
  const int wanted = purpose == Role::server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT;
  if (X509_VERIFY_PARAM_set_purpose(rules, wanted) != 1) fail_internal();
  if (!crls.empty()) {
    X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    if (stale == StaleCrl::accept) X509_STORE_set_check_crl(store.get(), accept_loaded_crl);
  }
  return store;
}

void verify_chain(x509_store_st* store, x509_st* certificate,
                  const std::vector<CertificateHandle>& intermediates, WallTime now,
                  const std::filesystem::path& origin) {
  const std::unique_ptr<X509_STORE_CTX, ContextFree> context(X509_STORE_CTX_new());
  const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> untrusted(
      sk_X509_new_null(), [](STACK_OF(X509) * stack) { sk_X509_free(stack); });
  if (!context || !untrusted) fail_internal();
  for (const CertificateHandle& intermediate : intermediates)
    if (sk_X509_push(untrusted.get(), intermediate.get()) == 0) fail_internal();
  if (X509_STORE_CTX_init(context.get(), store, certificate, untrusted.get()) != 1) fail_internal();
  X509_STORE_CTX_set_time(context.get(), 0, std::chrono::system_clock::to_time_t(now));
  if (X509_verify_cert(context.get()) == 1) return;
  const int error = X509_STORE_CTX_get_error(context.get());
  throw Error(kind_of(error), "certificate " + origin.string() + " is not valid for this use: " +
                                  X509_verify_cert_error_string(error));
}

void verify_crls(const std::vector<CrlHandle>& crls,
                 const std::vector<CertificateHandle>& authorities,
                 const std::vector<CertificateHandle>& intermediates,
                 const std::filesystem::path& origin) {
  for (const CrlHandle& crl : crls)
    if (!signed_by_any(crl.get(), authorities) && !signed_by_any(crl.get(), intermediates))
      throw Error(ErrorKind::untrusted,
                  "revocation list " + origin.string() + " is not signed by the identity's CA");
}

StoreHandle make_trust_store(const Identity& identity, StaleCrl stale) {
  const Role peer = identity.role() == Role::server ? Role::client : Role::server;
  return build_store(identity.authorities(), identity.crls(), peer, stale);
}

}  // namespace rp::certs
