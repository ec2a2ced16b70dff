#include "tools/restpipe/identity_command.h"

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "certs/authority.h"
#include "certs/error.h"
#include "certs/files.h"
#include "certs/install.h"
#include "certs/names.h"
#include "certs/peer.h"
#include "certs/x509_facts.h"
#include "tools/restpipe/identity_report.h"
#include "tools/restpipe/passphrase.h"

namespace rp::tools {
namespace fs = std::filesystem;
using certs::Error;
using certs::ErrorKind;
using certs::Role;
namespace {

certs::IdentityFiles files_in(const fs::path& directory, Role role) {
  return certs::identity_files(directory, certs::file_names_from_environment(role, std::getenv));
}

void run(int& exit_code, const std::function<void()>& action) {
  exit_code = 0;
  try {
    action();
  } catch (const Error& error) {
    std::cerr << "restpipe: " << error.what() << '\n';
    exit_code = certs::exit_code(error.kind());
  } catch (const std::exception& error) {
    std::cerr << "restpipe: " << error.what() << '\n';
    exit_code = 1;
  }
}

std::optional<Role> parse_role(const std::string& text) {
  if (text == "server") return Role::server;
  if (text == "client") return Role::client;
  return {};
}

// What the certificate is for, if that leaves no doubt.
Role role_of_certificate(const fs::path& path) {
  const auto chain = certs::certificates_from_pem(certs::read_file(path), path);
  const certs::CertificateFacts facts = certs::describe(chain.front().get());
  if (facts.server_auth != facts.client_auth)
    return facts.server_auth ? Role::server : Role::client;
  throw Error(ErrorKind::bad_argument,
              path.string() +
                  " does not say whether it is for a server or a client; give --role "
                  "server or --role client");
}

// --- identity ca, server, client ----------------------------------------------------------------

void add_ca(CLI::App& identity, int& exit_code) {
  struct Arguments {
    std::string directory;
    certs::AuthorityOptions options;
  };
  auto* command = identity.add_subcommand("ca", "Make a private certificate authority");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("--dir", arguments->directory, "Directory of the authority, made 0700")
      ->required()
      ->type_name("DIR");
  command->add_option("--name", arguments->options.common_name, "Its name in certificates")
      ->type_name("CN")
      ->capture_default_str();
  command->add_option("--days", arguments->options.days, "Lifetime, at most 7300")
      ->type_name("N")
      ->capture_default_str();
  command->footer(
      "Keep the directory off the nodes: whoever has ca.key.pem can speak as any node.\n\n"
      "Example:\n  restpipe identity ca --dir ~/restpipe-ca");
  command->callback([arguments, &exit_code] {
    run(exit_code, [&] {
      const auto authority = certs::Authority::create(arguments->directory, arguments->options);
      std::cout << "authority \"" << arguments->options.common_name << "\" is in "
                << authority.directory().string() << '\n';
    });
  });
}

void add_issue(CLI::App& identity, Role role, int& exit_code) {
  struct Arguments {
    std::string authority;
    std::string out;
    certs::LeafOptions options;
  };
  const std::string role_name(certs::name(role));
  auto* command =
      identity.add_subcommand(role_name, "Make a key and a certificate for a " + role_name);
  auto arguments = std::make_shared<Arguments>();
  arguments->options.role = role;
  command
      ->add_option("NAME", arguments->options.name,
                   role == Role::server ? "Name that clients dial" : "Name of the client node")
      ->required();
  command->add_option("--ca", arguments->authority, "Directory of the authority")
      ->required()
      ->type_name("DIR");
  command->add_option("--out", arguments->out, "Identity directory to fill; --identity takes it")
      ->required()
      ->type_name("DIR");
  if (role == Role::server)
    command
        ->add_option("--san", arguments->options.extra_names,
                     "Further name or address: DNS:x, IP:y or x (repeatable); localhost, 127.0.0.1 "
                     "and ::1 are always there")
        ->allow_extra_args(false)
        ->type_name("NAME");
  command->add_option("--days", arguments->options.days, "Lifetime, at most 398")
      ->type_name("N")
      ->capture_default_str();
  command->footer(role == Role::server
                      ? "Example:\n  restpipe identity server pipe.example.net --ca ~/restpipe-ca "
                        "--out ./server-identity --san IP:192.0.2.7"
                      : "Example:\n  restpipe identity client workshop --ca ~/restpipe-ca "
                        "--out ./workshop-identity");
  command->callback([arguments, role, &exit_code] {
    run(exit_code, [&] {
      arguments->options.file_names = certs::file_names_from_environment(role, std::getenv);
      const certs::Issued issued =
          certs::Authority::open(arguments->authority).issue(arguments->options, arguments->out);
      std::cout << certs::name(role) << " identity \"" << issued.name << "\" is in "
                << arguments->out << ", valid until " << certs::utc_text(issued.expires_at) << '\n';
    });
  });
}

// --- identity install, revoke -------------------------------------------------------------------

void add_install(CLI::App& identity, int& exit_code) {
  struct Arguments {
    std::string directory;
    std::string key;
    std::string certificate;
    std::string ca;
    std::string role;
  };
  auto* command = identity.add_subcommand(
      "install", "Check a key, a certificate and a CA certificate and put them in place");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("--identity", arguments->directory, "Identity directory to fill")
      ->required()
      ->type_name("DIR");
  command->add_option("KEY", arguments->key, "Private key, PEM")->required();
  command->add_option("CRT", arguments->certificate, "Certificate, then intermediates, PEM")
      ->required();
  command->add_option("CA", arguments->ca, "CA certificate that peers are verified against, PEM")
      ->required();
  command->add_option("--role", arguments->role, "server or client; default: what CRT is for")
      ->check(CLI::IsMember({"server", "client"}));
  command->footer(
      "All three are put in place or none. The key is stored 0600 and without a passphrase.\n\n"
      "Example:\n  restpipe identity install --identity /var/lib/restpipe key.pem crt.pem ca.pem");
  command->callback([arguments, &exit_code] {
    run(exit_code, [&] {
      const auto given = parse_role(arguments->role);
      const Role role = given ? *given : role_of_certificate(arguments->certificate);
      const std::string name = certs::install_identity(
          {arguments->key, arguments->certificate, arguments->ca},
          files_in(arguments->directory, role), role, passphrase_prompt(arguments->key));
      std::cout << certs::name(role) << " identity \"" << name << "\" is in "
                << arguments->directory << '\n';
    });
  });
}

void add_revoke(CLI::App& identity, int& exit_code) {
  struct Arguments {
    std::string what;
    std::string authority;
    std::vector<std::string> install;
  };
  auto* command =
      identity.add_subcommand("revoke", "Revoke certificates and write the authority's crl.pem");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("WHAT", arguments->what, "Name of a node, serial number or certificate file")
      ->required();
  command->add_option("--ca", arguments->authority, "Directory of the authority")
      ->required()
      ->type_name("DIR");
  command
      ->add_option("--install", arguments->install,
                   "Identity directory on this machine to copy crl.pem to (repeatable)")
      ->allow_extra_args(false)
      ->type_name("DIR");
  command->footer(
      "A name revokes every certificate of that name. Nodes load a new crl.pem by themselves and "
      "cut the pipes of those it lists.\n\n"
      "Example:\n  restpipe identity revoke workshop --ca ~/restpipe-ca --install "
      "/var/lib/restpipe");
  command->callback([arguments, &exit_code] {
    run(exit_code, [&] {
      auto authority = certs::Authority::open(arguments->authority);
      for (const certs::Issued& revoked : authority.revoke(arguments->what))
        std::cout << "revoked " << revoked.name << " serial " << revoked.serial << '\n';
      std::cout << "list of revoked certificates: " << authority.crl_path().string() << '\n';
      for (const std::string& directory : arguments->install) {
        const auto roles = roles_in(directory);
        if (roles.empty()) throw Error(ErrorKind::missing, directory + " holds no identity");
        certs::install_crl(authority.crl_path(), files_in(directory, roles.front()));
        std::cout << "installed in " << directory << '\n';
      }
    });
  });
}

// --- identity show, check -----------------------------------------------------------------------

void add_show(CLI::App& identity, int& exit_code) {
  struct Arguments {
    std::string directory;
    std::string output = "text";
  };
  auto* command = identity.add_subcommand("show", "Show the certificates of a directory");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("DIR", arguments->directory, "Identity directory or authority")->required();
  command->add_option("--output", arguments->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->footer("Example:\n  restpipe identity show /var/lib/restpipe --output json");
  command->callback([arguments, &exit_code] {
    run(exit_code, [&] {
      const IdentityReport report = report_identities(arguments->directory);
      const auto now = std::chrono::system_clock::now();
      std::cout << (arguments->output == "json" ? as_json(report, now) : as_text(report, now));
    });
  });
}

void check_role(const fs::path& directory, Role role) {
  const auto now = std::chrono::system_clock::now();
  const auto identity = certs::Identity::load(files_in(directory, role), role, now);
  std::cout << "ok: " << certs::name(role) << " identity \"" << identity.name() << "\" in "
            << directory.string() << ", " << days_left(identity.not_after(), now) << " days left\n";
  const int warning = certs::expiry_warning_days(identity.not_after(), now);
  if (warning > 0)
    std::cerr << "restpipe: warning: " << identity.files().certificate.string() << " expires at "
              << certs::utc_text(identity.not_after()) << ", within " << warning
              << (warning == 1 ? " day\n" : " days\n");
  if (certs::has_stale_crl(identity, now))
    std::cerr << "restpipe: warning: the list in " << identity.files().crl.string()
              << " is past its next update; peers are refused until there is a fresh one\n";
}

void check_directory(const fs::path& directory, std::optional<Role> only) {
  if (only) return check_role(directory, *only);
  const auto roles = roles_in(directory);
  for (const Role role : roles) check_role(directory, role);
  const bool authority = fs::exists(directory / "ca.key.pem");
  if (authority) {
    static_cast<void>(certs::Authority::open(directory));
    std::cout << "ok: authority in " << directory.string() << '\n';
  }
  if (roles.empty() && !authority)
    throw Error(ErrorKind::missing,
                directory.string() + " holds no identity: there is neither " +
                    files_in(directory, Role::server).certificate.filename().string() + " nor " +
                    files_in(directory, Role::client).certificate.filename().string());
}

void add_check(CLI::App& identity, int& exit_code) {
  struct Arguments {
    std::string directory;
    std::string role;
  };
  auto* command =
      identity.add_subcommand("check", "Judge the identities of a directory as a node would");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("DIR", arguments->directory, "Identity directory or authority")->required();
  command->add_option("--role", arguments->role, "server or client; default: all that are there")
      ->check(CLI::IsMember({"server", "client"}));
  command->footer(
      "Exit code: 0 usable; 5 missing, unreadable, loose permissions, not matching or not trusted; "
      "6 expired or not yet valid.\n\n"
      "Example:\n  restpipe identity check /var/lib/restpipe");
  command->callback([arguments, &exit_code] {
    run(exit_code, [&] { check_directory(arguments->directory, parse_role(arguments->role)); });
  });
}

}  // namespace

void add_identity_command(CLI::App& app, int& exit_code) {
  auto* identity = app.add_subcommand("identity", "Make, install, check and revoke identities");
  identity->require_subcommand(1);
  identity->footer(
      "An identity is a key, a certificate and the CA certificate that peers are verified "
      "against, in one directory that --identity of a node takes.\n\n"
      "Example:\n"
      "  restpipe identity ca --dir ./ca\n"
      "  restpipe identity server pipe.example.net --ca ./ca --out ./server\n"
      "  restpipe identity client workshop --ca ./ca --out ./workshop");
  add_ca(*identity, exit_code);
  add_issue(*identity, Role::server, exit_code);
  add_issue(*identity, Role::client, exit_code);
  add_install(*identity, exit_code);
  add_show(*identity, exit_code);
  add_check(*identity, exit_code);
  add_revoke(*identity, exit_code);
}

}  // namespace rp::tools
