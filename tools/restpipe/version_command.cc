#include <iostream>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/version.hpp>
#include <openssl/crypto.h>

#include "tools/restpipe/commands.h"

namespace rp::tools {

void add_version_command(CLI::App& app, int& exit_code) {
  const std::string version = std::string("restpipe ") + RP_VERSION;
  app.set_version_flag("--version", version);
  CLI::App* command = app.add_subcommand("version", "Print the version and those of the libraries");
  command->callback([version, &exit_code] {
    std::cout << version << '\n'
              << OpenSSL_version(OPENSSL_VERSION) << '\n'
              << "Boost " << BOOST_VERSION / 100'000 << '.' << BOOST_VERSION / 100 % 1'000 << '.'
              << BOOST_VERSION % 100 << '\n';
    exit_code = 0;
  });
}

}  // namespace rp::tools
