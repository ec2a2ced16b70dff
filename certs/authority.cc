#include "certs/authority.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "certs/error.h"
#include "certs/files.h"
#include "certs/issuing.h"
#include "certs/names.h"
#include "certs/peer.h"
#include "certs/pem.h"
#include "certs/replace.h"
#include "certs/x509_facts.h"

namespace rp::certs {
namespace fs = std::filesystem;
namespace {

constexpr unsigned kPrivateMode = 0600;
constexpr unsigned kPublicMode = 0644;

void check_days(int days, int most) {
  if (days < 1 || days > most)
    throw Error(ErrorKind::bad_argument, "a lifetime of " + std::to_string(days) +
                                             " days is not accepted; give 1 to " +
                                             std::to_string(most));
}

void check_common_name(const std::string& name) {
  constexpr std::size_t kBytesMax = 64;  // X.520 ub-common-name
  const bool printable =
      std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (name.empty() || name.size() > kBytesMax || !printable)
    throw Error(ErrorKind::bad_argument,
                "an authority's name must be 1 to 64 printable ASCII characters");
}

std::vector<std::string> alternative_names(const LeafOptions& options) {
  std::vector<std::string> names{"DNS:" + options.name};
  const auto add = [&names](std::string name) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(std::move(name));
  };
  if (options.role == Role::server) {
    // A server that is named by its address is dialled by it.
    if (!ip_address_bytes(options.name).empty()) add("IP:" + options.name);
    for (const char* local : {"DNS:localhost", "IP:127.0.0.1", "IP:::1"}) add(local);
  } else if (!options.extra_names.empty()) {
    throw Error(ErrorKind::bad_argument,
                "a client certificate has one name; further names are for servers");
  }
  for (const std::string& extra : options.extra_names) add(subject_alt_name(extra));
  if (names.size() > kPeerNamesMax)
    throw Error(ErrorKind::bad_argument, "a certificate has at most " +
                                             std::to_string(kPeerNamesMax) +
                                             " alternative names, localhost, 127.0.0.1 and ::1 "
                                             "included; these are " +
                                             std::to_string(names.size()));
  return names;
}

void check_leaf(const LeafOptions& options) {
  check_days(options.days, kLeafDaysMax);
  if (!acceptable_name(options.name, kIssuedNameBytesMax))
    throw Error(ErrorKind::bad_argument,
                "a node's name must be 1 to 63 letters, digits, '_', '.' or '-' and not begin with "
                "'.' or '-'");
}

/// Nothing is written that could not be read again.
void require_readable(const fs::path& path, std::size_t bytes, std::size_t bytes_max) {
  if (bytes > bytes_max)
    throw Error(ErrorKind::write_failed,
                path.string() + " would become larger than " + std::to_string(bytes_max) +
                    " bytes, which is the most that is read; make another authority");
}

std::string plain_hex(std::string_view serial) {
  std::string hex;
  for (const char c : serial)
    if (c != ':') hex += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return hex;
}

}  // namespace

Authority::Authority(fs::path directory, KeyHandle key, CertificateHandle certificate)
    : directory_(std::move(directory)),
      key_(std::move(key)),
      certificate_(std::move(certificate)) {}

Authority Authority::create(const fs::path& directory, const AuthorityOptions& options) {
  check_days(options.days, kAuthorityDaysMax);
  check_common_name(options.common_name);
  make_private_directory(directory);
  const DirectoryLock lock(directory);
  for (const char* file : {"ca.key.pem", "ca.crt.pem", "index.txt"})
    if (fs::exists(fs::symlink_status(directory / file)))
      throw Error(ErrorKind::exists, (directory / file).string() +
                                         " exists; an authority is not replaced, choose another "
                                         "directory");
  const WallTime now = std::chrono::system_clock::now();
  KeyHandle key = issuing::new_key();
  CertificateHandle certificate = issuing::new_authority(key.get(), options.common_name, now,
                                                         now + std::chrono::days(options.days));
  Authority made(directory, std::move(key), std::move(certificate));
  replace_files({{directory / "ca.key.pem", to_pem(made.key_.get()), kPrivateMode},
                 {made.certificate_path(), to_pem(made.certificate()), kPublicMode},
                 {made.log_path(), "", kPrivateMode},
                 {made.crl_path(), made.make_crl({}), kPublicMode}});
  return made;
}

Authority Authority::open(const fs::path& directory) {
  const fs::path key_path = directory / "ca.key.pem";
  const fs::path certificate_path = directory / "ca.crt.pem";
  KeyHandle key = private_key_from_pem(read_key_file(key_path), key_path);
  auto certificates = certificates_from_pem(read_file(certificate_path), certificate_path);
  CertificateHandle certificate = std::move(certificates.front());
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    openssl_reason();  // empties the error queue
    throw Error(ErrorKind::mismatch, "private key " + key_path.string() +
                                         " does not belong to certificate " +
                                         certificate_path.string());
  }
  if (X509_check_ca(certificate.get()) != 1)
    throw Error(ErrorKind::untrusted,
                "certificate " + certificate_path.string() + " is not that of an authority");
  if (std::chrono::system_clock::now() > not_after_of(certificate.get()))
    throw Error(ErrorKind::expired, "authority " + certificate_path.string() + " expired at " +
                                        utc_text(not_after_of(certificate.get())));
  return {directory, std::move(key), std::move(certificate)};
}

Issued Authority::issue(const LeafOptions& options, const fs::path& out) {
  check_leaf(options);
  const auto now =
      std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  const KeyHandle key = issuing::new_key();
  const issuing::Leaf leaf{options.role, options.name, alternative_names(options),
                           now + std::chrono::days(options.days)};
  const CertificateHandle certificate =
      issuing::new_leaf(key.get(), leaf, now, certificate_.get(), key_.get());
  const FileNames names =
      options.file_names.key.empty() ? default_file_names(options.role) : options.file_names;
  const IdentityFiles files = identity_files(out, names);
  IdentityPem made{to_pem(key.get()), to_pem(certificate.get()), to_pem(certificate_.get()),
                   read_optional_file(files.crl)};
  const ClearOnExit clear{made.key};
  // The loader's own judgement of what was made and of a CRL that is already there.
  static_cast<void>(Identity::from_pem(made, files, options.role));

  make_private_directory(out);
  const Issued entry{
      options.name, serial_of(certificate.get()), not_after_of(certificate.get()), {}};
  {
    const DirectoryLock lock(directory_);
    std::vector<Issued> log = issued();
    log.push_back(entry);
    replace_files({{log_path(), log_text(log), kPrivateMode}});
  }
  const DirectoryLock lock(out);
  replace_files({{files.key, made.key, kPrivateMode},
                 {files.certificate, made.certificate, kPublicMode},
                 {files.ca, made.ca, kPublicMode}});
  return entry;
}

std::vector<Issued> Authority::issued() const { return issue_log::read(log_path()); }

std::vector<Issued*> Authority::find(std::vector<Issued>& log, std::string_view what) const {
  std::vector<Issued*> found;
  const auto collect = [&](auto matches) {
    for (Issued& entry : log)
      if (matches(entry)) found.push_back(&entry);
  };
  if (acceptable_name(what, kIssuedNameBytesMax))
    collect([&](const Issued& entry) { return entry.name == what; });
  if (found.empty())
    collect([serial = plain_hex(what)](const Issued& entry) { return entry.serial == serial; });
  if (!found.empty() || !fs::is_regular_file(fs::path(what))) return found;

  const fs::path path(what);
  const auto certificates = certificates_from_pem(read_file(path), path);
  x509_st* const certificate = certificates.front().get();
  if (X509_verify(certificate, X509_get0_pubkey(certificate_.get())) != 1) {
    openssl_reason();  // empties the error queue
    throw Error(ErrorKind::untrusted,
                "certificate " + path.string() + " was not issued by this authority");
  }
  collect(
      [serial = serial_of(certificate)](const Issued& entry) { return entry.serial == serial; });
  return found;
}

std::vector<Issued> Authority::revoke(std::string_view what) {
  const DirectoryLock lock(directory_);
  std::vector<Issued> log = issued();
  const std::vector<Issued*> concerned = find(log, what);
  if (concerned.empty())
    throw Error(ErrorKind::missing, "no certificate with the name or serial number '" +
                                        std::string(what) + "' was issued by the authority in " +
                                        directory_.string());
  std::vector<Issued> revoked;
  const auto now =
      std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  for (Issued* entry : concerned) {
    if (!entry->revoked_at) entry->revoked_at = now;
    revoked.push_back(*entry);
  }
  replace_files(
      {{log_path(), log_text(log), kPrivateMode}, {crl_path(), make_crl(log), kPublicMode}});
  return revoked;
}

std::string Authority::log_text(const std::vector<Issued>& log) const {
  std::string text = issue_log::text(log);
  require_readable(log_path(), text.size(), issue_log::kBytesMax);
  return text;
}

std::string Authority::make_crl(const std::vector<Issued>& log) const {
  const WallTime now = std::chrono::system_clock::now();
  std::vector<Issued> revoked;
  // An expired certificate is refused anyway; leaving it out bounds the list.
  std::copy_if(log.begin(), log.end(), std::back_inserter(revoked),
               [now](const Issued& entry) { return entry.revoked_at && entry.expires_at > now; });
  long number = 0;
  const std::string previous = read_optional_file(crl_path());
  if (!previous.empty())
    for (const CrlHandle& crl : crls_from_pem(previous, crl_path()))
      number = std::max(number, issuing::crl_number(crl.get()));
  std::string pem =
      to_pem(issuing::new_crl(revoked, number + 1, now, certificate_.get(), key_.get()).get());
  require_readable(crl_path(), pem.size(), kIdentityFileBytesMax);
  return pem;
}

}  // namespace rp::certs
