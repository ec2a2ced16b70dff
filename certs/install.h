#pragma once

#include <filesystem>
#include <optional>

#include "certs/identity.h"
#include "certs/pem.h"

namespace rp::certs {

/// What an administrator brings: files from any authority, with any permissions.
struct InstallSources {
  std::filesystem::path key;  ///< may be encrypted if there is someone to ask; is stored in clear
  std::filesystem::path certificate;        ///< the certificate, then its intermediates, if any
  std::optional<std::filesystem::path> ca;  ///< absent: the CA that is installed already, if any
};

/// Checks the sources as Identity::load() would and only then puts them in place (key 0600,
/// certificates 0644, directories it makes 0700), all or none. Without any CA the chain cannot be
/// checked; then key, certificate, validity and name are. Throws Error. Returns the node's name.
std::string install_identity(const InstallSources& sources, const IdentityFiles& target, Role role,
                             const PassphrasePrompt& prompt = {});

/// Puts a CRL beside an identity that is installed, if it is signed by that identity's CA.
void install_crl(const std::filesystem::path& crl, const IdentityFiles& target);

}  // namespace rp::certs
