#include "certs/peer.h"

#include <memory>
#include <string>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "certs/names.h"
#include "certs/x509_facts.h"

namespace rp::certs {
namespace {

PeerIdentity refused(std::string why) {
  PeerIdentity nobody;
  nobody.refused = std::move(why);
  return nobody;
}

using Names = std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)>;

// The whole name as the certificate holds it: an embedded NUL is a byte like any other.
std::string_view bytes_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

PeerIdentity identity_from(const GENERAL_NAMES* names) {
  const int count = sk_GENERAL_NAME_num(names);
  if (count > kPeerNamesMax)
    return refused("the certificate has " + std::to_string(count) + " alternative names; at most " +
                   std::to_string(kPeerNamesMax) + " are accepted");
  PeerIdentity peer;
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* entry = sk_GENERAL_NAME_value(names, i);
    if (entry->type != GEN_DNS) continue;
    const std::string_view name = bytes_of(entry->d.dNSName);
    if (!acceptable_name(name, kPeerNameBytesMax))
      return refused(
          "a DNS name of the certificate is empty, too long or has a character other than letters, "
          "digits, '_', '.' and '-' (wildcards are not accepted)");
    if (peer.name.empty()) peer.name = name;
  }
  if (peer.name.empty()) return refused("the certificate has no DNS subjectAltName");
  return peer;
}

bool speaks_for(x509_st* certificate, const std::string& host) {
  if (!ip_address_bytes(host).empty()) return X509_check_ip_asc(certificate, host.c_str(), 0) == 1;
  constexpr unsigned kStrict = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS |
                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
  return X509_check_host(certificate, host.data(), host.size(), kStrict, nullptr) == 1;
}

}  // namespace

PeerIdentity peer_identity(const x509_st* certificate) {
  if (certificate == nullptr) return refused("the peer has no certificate");
  const int size_bytes = i2d_X509(certificate, nullptr);
  if (size_bytes <= 0 || size_bytes > kPeerCertificateBytesMax)
    return refused("the certificate has " + std::to_string(size_bytes) + " bytes; at most " +
                   std::to_string(kPeerCertificateBytesMax) + " are accepted");
  int critical = 0;
  const Names names(static_cast<GENERAL_NAMES*>(
                        X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, nullptr)),
                    GENERAL_NAMES_free);
  // -1 is "no such extension"; -2 is more than one, any other value one that does not parse.
  if (!names)
    return refused(critical == -1 ? "the certificate has no subjectAltName"
                                  : "the certificate's subjectAltName is malformed");
  PeerIdentity peer = identity_from(names.get());
  if (peer) peer.not_after = not_after_of(certificate);
  return peer;
}

PeerIdentity server_identity(const x509_st* certificate, std::string_view host) {
  PeerIdentity server = peer_identity(certificate);
  if (!server) return server;
  const std::string wanted(host);
  // X509_check_* take a non-const certificate because they may fill its cache of extensions.
  if (!speaks_for(const_cast<x509_st*>(certificate), wanted))
    return refused("the server's certificate is for \"" + server.name + "\", not for \"" + wanted +
                   "\"");
  return server;
}

bool is_revoked(const Identity& identity, x509_st* certificate) {
  for (const CrlHandle& crl : identity.crls()) {
    X509_REVOKED* entry = nullptr;
    if (X509_CRL_get0_by_cert(crl.get(), &entry, certificate) == 1) return true;
  }
  return false;
}

bool has_stale_crl(const Identity& identity, WallTime now) {
  std::time_t at = std::chrono::system_clock::to_time_t(now);
  for (const CrlHandle& crl : identity.crls()) {
    const ASN1_TIME* next = X509_CRL_get0_nextUpdate(crl.get());
    if (next != nullptr && X509_cmp_time(next, &at) < 0) return true;
  }
  return false;
}

}  // namespace rp::certs
