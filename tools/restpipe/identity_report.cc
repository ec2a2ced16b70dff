#include "tools/restpipe/identity_report.h"

#include <chrono>
#include <cstdlib>
#include <sstream>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "certs/error.h"
#include "certs/files.h"
#include "certs/peer.h"
#include "certs/pem.h"

namespace rp::tools {
namespace fs = std::filesystem;
namespace json = boost::json;
using certs::Role;
namespace {

certs::IdentityFiles files_in(const fs::path& directory, Role role) {
  return certs::identity_files(directory, certs::file_names_from_environment(role, std::getenv));
}

IdentityReport::Certificate look_at(std::string role, const fs::path& file) {
  const auto chain = certs::certificates_from_pem(certs::read_file(file), file);
  IdentityReport::Certificate certificate;
  certificate.file = file;
  certificate.facts = certs::describe(chain.front().get());
  if (role != "authority") {
    const certs::PeerIdentity self = certs::peer_identity(chain.front().get());
    certificate.name = self.name;
    certificate.refused = self.refused;
  }
  certificate.role = std::move(role);
  return certificate;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out.empty() ? "none" : out;
}

std::string left_text(certs::WallTime not_after, certs::WallTime now) {
  const long days = days_left(not_after, now);
  if (now > not_after) return "expired";
  return std::to_string(days) + (days == 1 ? " day left" : " days left");
}

json::array strings(const std::vector<std::string>& parts) {
  return json::array(parts.begin(), parts.end());
}

json::object to_object(const IdentityReport::Certificate& certificate, certs::WallTime now) {
  const certs::CertificateFacts& facts = certificate.facts;
  json::object out{{"role", certificate.role},
                   {"file", certificate.file.string()},
                   {"subject", facts.subject},
                   {"issuer", facts.issuer},
                   {"serial", facts.serial},
                   {"dns_names", strings(facts.dns_names)},
                   {"ip_addresses", strings(facts.ip_addresses)},
                   {"not_before", certs::utc_text(facts.not_before)},
                   {"not_after", certs::utc_text(facts.not_after)},
                   {"days_left", days_left(facts.not_after, now)},
                   {"key_type", facts.key_type},
                   {"fingerprint_sha256", facts.fingerprint_sha256}};
  if (certificate.role != "authority") out["name"] = certificate.name;
  if (!certificate.refused.empty()) out["refused"] = certificate.refused;
  return out;
}

}  // namespace

long days_left(certs::WallTime not_after, certs::WallTime now) {
  return static_cast<long>(std::chrono::floor<std::chrono::days>(not_after - now).count());
}

std::vector<Role> roles_in(const fs::path& directory) {
  std::vector<Role> roles;
  for (const Role role : {Role::server, Role::client}) {
    const certs::IdentityFiles files = files_in(directory, role);
    if (fs::exists(files.key) || fs::exists(files.certificate)) roles.push_back(role);
  }
  return roles;
}

IdentityReport report_identities(const fs::path& directory) {
  IdentityReport report;
  report.directory = directory;
  for (const Role role : roles_in(directory))
    report.certificates.push_back(
        look_at(std::string(certs::name(role)), files_in(directory, role).certificate));
  const fs::path authority = files_in(directory, Role::server).ca;
  if (fs::exists(authority)) report.certificates.push_back(look_at("authority", authority));
  if (report.certificates.empty())
    throw certs::Error(certs::ErrorKind::missing,
                       directory.string() + " holds no identity: there is neither " +
                           certs::default_file_names(Role::server).certificate + " nor " +
                           certs::default_file_names(Role::client).certificate + " nor ca.crt.pem");
  report.issued = certs::issue_log::read(directory / "index.txt");
  return report;
}

std::string as_text(const IdentityReport& report, certs::WallTime now) {
  std::ostringstream out;
  const char* separator = "";
  for (const IdentityReport::Certificate& certificate : report.certificates) {
    const certs::CertificateFacts& facts = certificate.facts;
    out << std::exchange(separator, "\n") << certificate.role << ' '
        << (certificate.name.empty() ? facts.subject : certificate.name) << '\n'
        << "  file         " << certificate.file.string() << '\n'
        << "  subject      " << facts.subject << '\n'
        << "  issuer       " << facts.issuer << '\n'
        << "  serial       " << facts.serial << '\n';
    if (certificate.role != "authority")
      out << "  DNS names    " << joined(facts.dns_names) << '\n'
          << "  addresses    " << joined(facts.ip_addresses) << '\n';
    if (!certificate.refused.empty()) out << "  refused      " << certificate.refused << '\n';
    out << "  valid        " << certs::utc_text(facts.not_before) << " to "
        << certs::utc_text(facts.not_after) << ", " << left_text(facts.not_after, now) << '\n'
        << "  key          " << facts.key_type << '\n'
        << "  SHA-256      " << facts.fingerprint_sha256 << '\n';
  }
  if (!report.issued.empty()) out << "\nissued\n";
  for (const certs::Issued& entry : report.issued)
    out << "  " << entry.serial << "  " << entry.name << "  "
        << (entry.revoked_at ? "revoked " + certs::utc_text(*entry.revoked_at)
                             : "until " + certs::utc_text(entry.expires_at))
        << '\n';
  return out.str();
}

std::string as_json(const IdentityReport& report, certs::WallTime now) {
  json::array certificates;
  for (const auto& certificate : report.certificates)
    certificates.push_back(to_object(certificate, now));
  json::array issued;
  for (const certs::Issued& entry : report.issued) {
    json::object item{{"name", entry.name},
                      {"serial", entry.serial},
                      {"not_after", certs::utc_text(entry.expires_at)}};
    item["revoked_at"] =
        entry.revoked_at ? json::value(certs::utc_text(*entry.revoked_at)) : nullptr;
    issued.push_back(std::move(item));
  }
  const json::object out{{"directory", report.directory.string()},
                         {"certificates", std::move(certificates)},
                         {"issued", std::move(issued)}};
  return json::serialize(out) + "\n";
}

}  // namespace rp::tools
