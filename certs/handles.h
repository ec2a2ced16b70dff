#pragma once

#include <memory>

// OpenSSL's own names of its opaque types, so that headers need not include OpenSSL's.
struct x509_st;
struct X509_crl_st;
struct evp_pkey_st;
struct x509_store_st;

namespace rp::certs {

/// Frees what OpenSSL made (each type has its own function).
struct HandleFree {
  void operator()(x509_st* certificate) const noexcept;
  void operator()(X509_crl_st* crl) const noexcept;
  void operator()(evp_pkey_st* key) const noexcept;
  void operator()(x509_store_st* store) const noexcept;
};

using CertificateHandle = std::unique_ptr<x509_st, HandleFree>;
using CrlHandle = std::unique_ptr<X509_crl_st, HandleFree>;
using KeyHandle = std::unique_ptr<evp_pkey_st, HandleFree>;
using StoreHandle = std::unique_ptr<x509_store_st, HandleFree>;

}  // namespace rp::certs
