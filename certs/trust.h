#pragma once

#include <string>
#include <vector>

#include "certs/handles.h"
#include "certs/identity.h"
#include "certs/peer.h"

/// Chain verification as both ends and the loader do it; private to certs/.
namespace rp::certs {

/// See make_trust_store(). `purpose` is the role of whom the store judges.
StoreHandle build_store(const std::vector<CertificateHandle>& authorities,
                        const std::vector<CrlHandle>& crls, Role purpose, StaleCrl stale);

/// Judges a certificate now. Throws Error: expired, not_yet_valid or untrusted, with `origin` and
/// OpenSSL's reason.
void verify_chain(x509_store_st* store, x509_st* certificate,
                  const std::vector<CertificateHandle>& intermediates, WallTime now,
                  const std::filesystem::path& origin);

/// Throws Error (untrusted) unless each CRL is signed by one of the authorities or intermediates.
void verify_crls(const std::vector<CrlHandle>& crls,
                 const std::vector<CertificateHandle>& authorities,
                 const std::vector<CertificateHandle>& intermediates,
                 const std::filesystem::path& origin);

}  // namespace rp::certs
