#include "certs/handles.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

namespace rp::certs {

void HandleFree::operator()(x509_st* certificate) const noexcept { X509_free(certificate); }
void HandleFree::operator()(X509_crl_st* crl) const noexcept { X509_CRL_free(crl); }
void HandleFree::operator()(evp_pkey_st* key) const noexcept { EVP_PKEY_free(key); }
void HandleFree::operator()(x509_store_st* store) const noexcept { X509_STORE_free(store); }

}  // namespace rp::certs
