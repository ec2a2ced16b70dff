#include "tools/set_identity/set_identity.h"

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "certs/error.h"
#include "certs/install.h"
#include "tools/restpipe/passphrase.h"

namespace rp::tools {
namespace {

constexpr std::string_view kServerUsage =
    R"(usage: rp_server_set_identity KEY CRT CA

Checks that KEY, CRT and CA are a server's private key, its certificate (with intermediates, if
any) and the CA certificate that signs clients, that they belong together and are valid now, and
puts them where the server node looks for them. All are put in place or none.

  RP_SERVER_CERT_PATH     directory (/var/lib/restpipe); made 0700 if it does not exist
  RP_SERVER_KEY_FILENAME  restpipe.server.key.pem, stored 0600
  RP_SERVER_CRT_FILENAME  restpipe.server.crt.pem
  RP_CA_CRT_FILENAME      ca.crt.pem
)";

constexpr std::string_view kClientUsage =
    R"(usage: rp_client_set_identity KEY CRT [CA]

Checks that KEY and CRT are a client's private key and its certificate (with intermediates, if
any), that they belong together and are valid now, and puts them where the client node looks for
them. CA is the CA certificate that the server is verified against; without it the one that is
installed stays. A client node does not start without one. All are put in place or none.

  RP_CLIENT_CERT_PATH     directory (/var/lib/restpipe); made 0700 if it does not exist
  RP_CLIENT_KEY_FILENAME  restpipe.client.key.pem, stored 0600
  RP_CLIENT_CRT_FILENAME  restpipe.client.crt.pem
  RP_CA_CRT_FILENAME      ca.crt.pem
)";

constexpr std::string_view kFileNames =
    "A file name that is an absolute path leaves the directory.\n";

void install(certs::Role role, const std::vector<std::string>& arguments) {
  const certs::IdentityFiles target =
      certs::identity_files(certs::directory_from_environment(role, std::getenv),
                            certs::file_names_from_environment(role, std::getenv));
  certs::InstallSources sources{arguments[0], arguments[1], {}};
  if (arguments.size() > 2) sources.ca = arguments[2];
  const std::string name =
      certs::install_identity(sources, target, role, passphrase_prompt(sources.key));
  std::cout << "key of \"" << name << "\" written to " << target.key.string() << '\n'
            << "certificate written to " << target.certificate.string() << '\n';
  if (sources.ca) {
    std::cout << "CA certificate written to " << target.ca.string() << '\n';
  } else if (!std::filesystem::exists(target.ca)) {
    std::cerr << "warning: there is no " << target.ca.string()
              << "; the client node needs one to verify its server\n";
  }
}

}  // namespace

int set_identity(certs::Role role, int argc, char** argv) {
  const bool server = role == certs::Role::server;
  const std::string_view usage = server ? kServerUsage : kClientUsage;
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (arguments.size() == 1 && (arguments[0] == "--help" || arguments[0] == "-h")) {
    std::cout << usage << kFileNames;
    return 0;
  }
  const std::size_t least = server ? 3 : 2;
  if (arguments.size() < least || arguments.size() > 3) {
    std::cerr << usage << kFileNames;
    return 2;
  }
  try {
    install(role, arguments);
    return 0;
  } catch (const certs::Error& error) {
    std::cerr << (server ? "rp_server_set_identity: " : "rp_client_set_identity: ") << error.what()
              << '\n';
    return certs::exit_code(error.kind());
  } catch (const std::exception& error) {
    std::cerr << (server ? "rp_server_set_identity: " : "rp_client_set_identity: ") << error.what()
              << '\n';
    return 1;
  }
}

}  // namespace rp::tools
