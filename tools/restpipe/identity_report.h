#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "certs/authority.h"
#include "certs/identity.h"
#include "certs/x509_facts.h"

/// What `restpipe identity show` says of a directory, as text for people or JSON for programs.
namespace rp::tools {

struct IdentityReport {
  struct Certificate {
    std::string role;  ///< "server", "client" or "authority"
    std::filesystem::path file;
    std::string name;     ///< who the node is; empty if no peer would accept it
    std::string refused;  ///< why it names nobody
    certs::CertificateFacts facts;
  };
  std::filesystem::path directory;
  std::vector<Certificate> certificates;
  std::vector<certs::Issued> issued;  ///< an authority's directory only
};

/// Looks at certificates only, so it needs no access to keys. Throws certs::Error (missing, if the
/// directory holds none; malformed).
IdentityReport report_identities(const std::filesystem::path& directory);

/// Roles of which the directory holds a key or a certificate.
std::vector<certs::Role> roles_in(const std::filesystem::path& directory);

std::string as_text(const IdentityReport& report, certs::WallTime now);
std::string as_json(const IdentityReport& report, certs::WallTime now);

/// Whole days until then; negative when it has passed.
long days_left(certs::WallTime not_after, certs::WallTime now);

}  // namespace rp::tools
