#include "certs/x509_facts.h"

#include <arpa/inet.h>
#include <array>
#include <ctime>
#include <memory>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "certs/error.h"

namespace rp::certs {
namespace {

WallTime to_wall_time(const ASN1_TIME* time) {
  std::tm calendar{};
  if (ASN1_TIME_to_tm(time, &calendar) != 1)
    throw Error(ErrorKind::malformed, "a certificate's validity is not a time");
  return std::chrono::system_clock::from_time_t(timegm(&calendar));
}

std::string name_text(const X509_NAME* name) {
  const std::unique_ptr<BIO, void (*)(BIO*)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
  if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string escaped(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '\\') {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 0x0fU];
    }
  }
  return out;
}

std::string address_text(const ASN1_OCTET_STRING* bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = ASN1_STRING_length(bytes) == 4    ? AF_INET
                     : ASN1_STRING_length(bytes) == 16 ? AF_INET6
                                                       : AF_UNSPEC;
  if (family == AF_UNSPEC ||
      inet_ntop(family, ASN1_STRING_get0_data(bytes), text.data(), text.size()) == nullptr)
    return "(malformed address)";
  return text.data();
}

void collect_names(x509_st* certificate, CertificateFacts& facts) {
  const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* entry = sk_GENERAL_NAME_value(names.get(), i);
    if (entry->type == GEN_DNS) {
      const ASN1_IA5STRING* dns = entry->d.dNSName;
      facts.dns_names.push_back(escaped({reinterpret_cast<const char*>(ASN1_STRING_get0_data(dns)),
                                         static_cast<std::size_t>(ASN1_STRING_length(dns))}));
    } else if (entry->type == GEN_IPADD) {
      facts.ip_addresses.push_back(address_text(entry->d.iPAddress));
    }
  }
}

std::string key_type_of(const EVP_PKEY* key) {
  if (key == nullptr) return "unknown";
  const int bits = EVP_PKEY_get_bits(key);
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
      return "EC P-" + std::to_string(bits);
    case EVP_PKEY_RSA:
      return "RSA " + std::to_string(bits);
    default: {
      const char* type = EVP_PKEY_get0_type_name(key);
      return type != nullptr ? type : "unknown";
    }
  }
}

std::string fingerprint_of(const x509_st* certificate) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    if (i != 0) out += ':';
    out += kHex[digest[i] >> 4U];
    out += kHex[digest[i] & 0x0fU];
  }
  return out;
}

}  // namespace

WallTime not_before_of(const x509_st* certificate) {
  return to_wall_time(X509_get0_notBefore(certificate));
}

WallTime not_after_of(const x509_st* certificate) {
  return to_wall_time(X509_get0_notAfter(certificate));
}

std::string serial_of(const x509_st* certificate) {
  const std::unique_ptr<BIGNUM, void (*)(BIGNUM*)> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr), BN_free);
  const std::unique_ptr<char, void (*)(char*)> text(number ? BN_bn2hex(number.get()) : nullptr,
                                                    [](char* c) { OPENSSL_free(c); });
  return text ? text.get() : "";
}

std::string utc_text(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm calendar{};
  gmtime_r(&seconds, &calendar);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &calendar);
  return text.data();
}

CertificateFacts describe(x509_st* certificate) {
  CertificateFacts facts;
  facts.subject = name_text(X509_get_subject_name(certificate));
  facts.issuer = name_text(X509_get_issuer_name(certificate));
  facts.serial = serial_of(certificate);
  collect_names(certificate, facts);
  facts.not_before = not_before_of(certificate);
  facts.not_after = not_after_of(certificate);
  facts.key_type = key_type_of(X509_get0_pubkey(certificate));
  facts.fingerprint_sha256 = fingerprint_of(certificate);
  facts.authority = X509_check_ca(certificate) == 1;
  facts.server_auth = X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 0) == 1;
  facts.client_auth = X509_check_purpose(certificate, X509_PURPOSE_SSL_CLIENT, 0) == 1;
  return facts;
}

}  // namespace rp::certs
