#include "certs/issuing.h"

#include <algorithm>
#include <memory>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "certs/error.h"
#include "certs/pem.h"
#include "certs/x509_facts.h"

namespace rp::certs::issuing {
namespace {

// The other node's clock may be behind ours.
constexpr std::chrono::hours kBackdate{1};
// Bits of a serial number: RFC 5280 allows 20 bytes, of which the top bit must stay clear.
constexpr int kSerialBits = 159;

void require(bool done) {
  if (!done) throw Error(ErrorKind::internal, "OpenSSL: " + openssl_reason());
}

using Number = std::unique_ptr<BIGNUM, void (*)(BIGNUM*)>;
using Time = std::unique_ptr<ASN1_TIME, void (*)(ASN1_TIME*)>;

Time asn1_time(WallTime time) {
  Time made(ASN1_TIME_set(nullptr, std::chrono::system_clock::to_time_t(time)), ASN1_TIME_free);
  require(made != nullptr);
  return made;
}

void set_random_serial(X509* certificate) {
  const Number number(BN_new(), BN_free);
  require(number && BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
          BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr);
}

CertificateHandle begin(evp_pkey_st* key, const std::string& common_name, WallTime now,
                        WallTime not_after) {
  CertificateHandle certificate(X509_new());
  X509* const raw = certificate.get();
  require(raw != nullptr && X509_set_version(raw, X509_VERSION_3) == 1);
  set_random_serial(raw);
  X509_NAME* subject = X509_get_subject_name(raw);
  require(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(common_name.data()),
                                     static_cast<int>(common_name.size()), -1, 0) == 1);
  require(X509_set1_notBefore(raw, asn1_time(now - kBackdate).get()) == 1 &&
          X509_set1_notAfter(raw, asn1_time(not_after).get()) == 1 &&
          X509_set_pubkey(raw, key) == 1);
  return certificate;
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, void (*)(X509_EXTENSION*)> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()), X509_EXTENSION_free);
  require(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void sign(X509* certificate, evp_pkey_st* key) {
  require(X509_sign(certificate, key, EVP_sha256()) > 0);
}

}  // namespace

KeyHandle new_key() {
  KeyHandle key(EVP_EC_gen("P-256"));
  require(key != nullptr);
  return key;
}

CertificateHandle new_authority(evp_pkey_st* key, const std::string& common_name, WallTime now,
                                WallTime not_after) {
  CertificateHandle authority = begin(key, common_name, now, not_after);
  X509* const raw = authority.get();
  require(X509_set_issuer_name(raw, X509_get_subject_name(raw)) == 1);
  add_extension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(raw, raw, NID_subject_key_identifier, "hash");
  sign(raw, key);
  return authority;
}

CertificateHandle new_leaf(evp_pkey_st* key, const Leaf& leaf, WallTime now, x509_st* issuer,
                           evp_pkey_st* issuer_key) {
  const WallTime not_after = std::min(leaf.not_after, not_after_of(issuer));
  CertificateHandle certificate = begin(key, leaf.common_name, now, not_after);
  X509* const raw = certificate.get();
  require(X509_set_issuer_name(raw, X509_get_subject_name(issuer)) == 1);

  std::string names;
  for (const std::string& name : leaf.alternative_names) names += (names.empty() ? "" : ",") + name;
  add_extension(raw, issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(raw, issuer, NID_key_usage, "critical,digitalSignature");
  add_extension(raw, issuer, NID_ext_key_usage,
                leaf.role == Role::server ? "serverAuth" : "clientAuth");
  add_extension(raw, issuer, NID_subject_alt_name, names);
  add_extension(raw, issuer, NID_subject_key_identifier, "hash");
  add_extension(raw, issuer, NID_authority_key_identifier, "keyid:always");
  sign(raw, issuer_key);
  return certificate;
}

CrlHandle new_crl(const std::vector<Issued>& revoked, long number, WallTime now, x509_st* issuer,
                  evp_pkey_st* issuer_key) {
  CrlHandle crl(X509_CRL_new());
  X509_CRL* const raw = crl.get();
  require(raw != nullptr && X509_CRL_set_version(raw, X509_CRL_VERSION_2) == 1 &&
          X509_CRL_set_issuer_name(raw, X509_get_subject_name(issuer)) == 1 &&
          X509_CRL_set1_lastUpdate(raw, asn1_time(now - kBackdate).get()) == 1 &&
          X509_CRL_set1_nextUpdate(raw, X509_get0_notAfter(issuer)) == 1);
  for (const Issued& entry : revoked) {
    BIGNUM* parsed = nullptr;
    require(BN_hex2bn(&parsed, entry.serial.c_str()) > 0);
    const Number serial(parsed, BN_free);
    const std::unique_ptr<ASN1_INTEGER, void (*)(ASN1_INTEGER*)> integer(
        BN_to_ASN1_INTEGER(serial.get(), nullptr), ASN1_INTEGER_free);
    std::unique_ptr<X509_REVOKED, void (*)(X509_REVOKED*)> item(X509_REVOKED_new(),
                                                                X509_REVOKED_free);
    require(integer && item && X509_REVOKED_set_serialNumber(item.get(), integer.get()) == 1 &&
            X509_REVOKED_set_revocationDate(item.get(),
                                            asn1_time(entry.revoked_at.value_or(now)).get()) == 1 &&
            X509_CRL_add0_revoked(raw, item.get()) == 1);
    static_cast<void>(item.release());  // the list owns it now
  }
  const std::unique_ptr<ASN1_INTEGER, void (*)(ASN1_INTEGER*)> count(ASN1_INTEGER_new(),
                                                                     ASN1_INTEGER_free);
  require(count && ASN1_INTEGER_set(count.get(), number) == 1 &&
          X509_CRL_add1_ext_i2d(raw, NID_crl_number, count.get(), 0, 0) == 1);
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, nullptr, nullptr, raw, 0);
  const std::unique_ptr<X509_EXTENSION, void (*)(X509_EXTENSION*)> authority_key(
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"),
      X509_EXTENSION_free);
  require(authority_key && X509_CRL_add_ext(raw, authority_key.get(), -1) == 1 &&
          X509_CRL_sort(raw) == 1 && X509_CRL_sign(raw, issuer_key, EVP_sha256()) > 0);
  return crl;
}

long crl_number(X509_crl_st* crl) {
  const std::unique_ptr<ASN1_INTEGER, void (*)(ASN1_INTEGER*)> number(
      static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(crl, NID_crl_number, nullptr, nullptr)),
      ASN1_INTEGER_free);
  return number ? ASN1_INTEGER_get(number.get()) : 0;
}

}  // namespace rp::certs::issuing
