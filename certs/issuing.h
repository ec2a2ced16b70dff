#pragma once

#include <string>
#include <vector>

#include "certs/handles.h"
#include "certs/identity.h"
#include "certs/issue_log.h"

/// The making of keys, certificates and CRLs; private to certs/. Everything throws Error
/// (internal).
namespace rp::certs::issuing {

KeyHandle new_key();

/// Self-signed; valid from an hour before `now`.
CertificateHandle new_authority(evp_pkey_st* key, const std::string& common_name, WallTime now,
                                WallTime not_after);

struct Leaf {
  Role role;
  std::string common_name;
  std::vector<std::string> alternative_names;  ///< as subject_alt_name() returns them
  WallTime not_after;                          ///< clipped to the issuer's
};
CertificateHandle new_leaf(evp_pkey_st* key, const Leaf& leaf, WallTime now, x509_st* issuer,
                           evp_pkey_st* issuer_key);

/// Version 2, with number and authority key identifier; nextUpdate is the issuer's notAfter.
CrlHandle new_crl(const std::vector<Issued>& revoked, long number, WallTime now, x509_st* issuer,
                  evp_pkey_st* issuer_key);

/// 0 when it has none.
long crl_number(X509_crl_st* crl);

}  // namespace rp::certs::issuing
