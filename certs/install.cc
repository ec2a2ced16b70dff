#include "certs/install.h"

#include <utility>
#include <vector>

#include "certs/error.h"
#include "certs/files.h"
#include "certs/replace.h"
#include "certs/trust.h"

namespace rp::certs {
namespace fs = std::filesystem;
namespace {

constexpr unsigned kPrivateMode = 0600;
constexpr unsigned kPublicMode = 0644;

}  // namespace

std::string install_identity(const InstallSources& sources, const IdentityFiles& target, Role role,
                             const PassphrasePrompt& prompt) {
  IdentityPem pem;
  const ClearOnExit clear{pem.key};
  {
    std::string brought = read_file(sources.key);
    const ClearOnExit clear_brought{brought};
    pem.key = to_pem(private_key_from_pem(brought, sources.key, prompt).get());
  }
  pem.certificate = read_file(sources.certificate);
  IdentityFiles origins = target;
  origins.key = sources.key;
  origins.certificate = sources.certificate;
  if (sources.ca) {
    origins.ca = *sources.ca;
    pem.ca = read_file(*sources.ca);
  } else {
    pem.ca = read_optional_file(target.ca);
  }
  pem.crl = read_optional_file(target.crl);

  std::string name;
  if (pem.ca.empty() && !sources.ca) {
    name = check_without_authority(pem, origins);
  } else {
    name = Identity::from_pem(pem, origins, role).name();
  }

  std::vector<NewFile> files{{target.key, pem.key, kPrivateMode},
                             {target.certificate, pem.certificate, kPublicMode}};
  if (sources.ca) files.push_back({target.ca, pem.ca, kPublicMode});
  for (const NewFile& file : files) make_private_directory(directory_of(file.path));
  const DirectoryLock lock(directory_of(target.key));
  replace_files(files);
  return name;
}

void install_crl(const fs::path& crl, const IdentityFiles& target) {
  const std::string pem = read_file(crl);
  const auto chain = certificates_from_pem(read_file(target.certificate), target.certificate);
  const auto authorities = certificates_from_pem(read_file(target.ca), target.ca);
  verify_crls(crls_from_pem(pem, crl), authorities, chain, crl);
  const DirectoryLock lock(directory_of(target.crl));
  replace_files({{target.crl, pem, kPublicMode}});
}

}  // namespace rp::certs
