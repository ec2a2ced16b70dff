#pragma once

#include <string>
#include <string_view>

#include "certs/handles.h"
#include "certs/identity.h"

namespace rp::certs {

/// What a peer may bring. Larger certificates are refused before their names are looked at.
inline constexpr int kPeerNamesMax = 16;                    // DNS and IP names of one certificate
inline constexpr int kPeerCertificateBytesMax = 16 * 1024;  // DER; ours have about 500 bytes
inline constexpr int kChainDepthMax = 4;                    // intermediates between leaf and CA

/// Who a peer is, or why it is nobody.
struct PeerIdentity {
  std::string name;     ///< the first DNS name; empty when refused
  std::string refused;  ///< one sentence; empty when accepted. Never holds bytes of the certificate
  WallTime not_after{};

  explicit operator bool() const noexcept { return refused.empty(); }
};

/// Identity of a peer whose chain TLS has already verified against make_trust_store(). Only the
/// subjectAltName counts: the CN is never read. Refused are: no DNS name, one that is empty, longer
/// than a DNS name may be or has other characters than [A-Za-z0-9_.-] (so wildcards, NUL and
/// control bytes), more than kPeerNamesMax names, more than kPeerCertificateBytesMax bytes.
PeerIdentity peer_identity(const x509_st* certificate);

/// The same for a server that was dialled as `host` (a DNS name, or an IP address without
/// brackets): `host` must also be one of its names, as a whole, without wildcards.
PeerIdentity server_identity(const x509_st* certificate, std::string_view host);

/// What happens to peers while the CRL is past its nextUpdate.
enum class StaleCrl {
  refuse,  ///< nobody gets in until a fresh CRL is installed
  accept,  ///< the old list goes on being applied
};

/// A store for SSL_CTX_set1_verify_cert_store(): trusts the identity's authorities; chains of at
/// most kChainDepthMax intermediates; the purpose of the other role; security level 2 on every
/// signature and key; strict RFC 5280 checks; if the identity has CRLs, every certificate of the
/// chain must be covered by one and not be listed. Throws Error.
StoreHandle make_trust_store(const Identity& identity, StaleCrl stale = StaleCrl::refuse);

/// Whether one of the identity's CRLs lists that certificate: for cutting pipes that are up when a
/// new CRL is loaded.
bool is_revoked(const Identity& identity, x509_st* certificate);

/// Whether one of the identity's CRLs is past its nextUpdate.
bool has_stale_crl(const Identity& identity, WallTime now);

}  // namespace rp::certs
