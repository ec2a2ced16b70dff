#include "tests/certs/test_pki.h"

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <vector>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "certs/authority.h"
#include "certs/files.h"
#include "certs/pem.h"
#include "certs/replace.h"

namespace rp::certs::testing {
namespace fs = std::filesystem;
namespace {

using std::chrono::hours;
constexpr hours kDay{24};
constexpr unsigned kWeakRsaBits = 1024;
constexpr int kDeepIntermediates = 12;
constexpr int kBigNames = 8000;

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("test PKI: ") + what + ": " + openssl_reason());
}

/// One certificate, hostile or not: nothing here is checked.
struct Spec {
  std::string common_name;
  std::string san;            // OpenSSL's extension syntax; empty: none
  std::string san_der;        // instead: the extension's bytes
  const char* eku = nullptr;  // null: none
  bool authority = false;
  hours begins{-24};
  hours ends{365 * 24};
  const EVP_MD* digest = EVP_sha256();
};

struct Pair {
  KeyHandle key;
  CertificateHandle certificate;
};

void set_times(X509* certificate, const Spec& spec) {
  require(X509_gmtime_adj(X509_getm_notBefore(certificate),
                          std::chrono::seconds(spec.begins).count()) != nullptr &&
              X509_gmtime_adj(X509_getm_notAfter(certificate),
                              std::chrono::seconds(spec.ends).count()) != nullptr,
          "validity");
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  require(extension != nullptr, "extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void add_raw_san(X509* certificate, const std::string& der) {
  ASN1_OCTET_STRING* bytes = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(bytes, reinterpret_cast<const unsigned char*>(der.data()),
                        static_cast<int>(der.size()));
  X509_EXTENSION* extension = X509_EXTENSION_create_by_NID(nullptr, NID_subject_alt_name, 0, bytes);
  require(extension != nullptr, "raw SAN");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  ASN1_OCTET_STRING_free(bytes);
}

/// Signs with the issuer's key, or its own when there is no issuer.
CertificateHandle make(EVP_PKEY* key, const Spec& spec, X509* issuer, EVP_PKEY* issuer_key) {
  CertificateHandle made(X509_new());
  X509* const raw = made.get();
  require(raw != nullptr, "certificate");
  X509_set_version(raw, X509_VERSION_3);
  BIGNUM* serial = BN_new();
  BN_rand(serial, 64, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
  BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(raw));
  BN_free(serial);
  set_times(raw, spec);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(spec.common_name.data()),
                             static_cast<int>(spec.common_name.size()), -1, 0);
  X509* const signer = issuer != nullptr ? issuer : raw;
  X509_set_issuer_name(raw, X509_get_subject_name(signer));
  X509_set_pubkey(raw, key);
  add_extension(raw, signer, NID_basic_constraints,
                spec.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  add_extension(raw, signer, NID_key_usage,
                spec.authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
  if (spec.eku != nullptr) add_extension(raw, signer, NID_ext_key_usage, spec.eku);
  if (!spec.san.empty()) add_extension(raw, signer, NID_subject_alt_name, spec.san);
  if (!spec.san_der.empty()) add_raw_san(raw, spec.san_der);
  add_extension(raw, signer, NID_subject_key_identifier, "hash");
  require(X509_sign(raw, issuer_key != nullptr ? issuer_key : key, spec.digest) > 0, "signature");
  return made;
}

KeyHandle elliptic_key() { return KeyHandle(EVP_EC_gen("P-256")); }

Pair make_authority(const std::string& name, const Pair* issuer) {
  Spec spec;
  spec.common_name = name;
  spec.authority = true;
  Pair made;
  made.key = elliptic_key();
  made.certificate = make(made.key.get(), spec, issuer ? issuer->certificate.get() : nullptr,
                          issuer ? issuer->key.get() : nullptr);
  return made;
}

Pair read_pair(const fs::path& key, const fs::path& certificate) {
  Pair pair;
  pair.key = private_key_from_pem(read_file(key), key);
  pair.certificate = std::move(certificates_from_pem(read_file(certificate), certificate).front());
  return pair;
}

/// A SEQUENCE with one dNSName of these bytes; short names only.
std::string san_with_bytes(const std::string& name) {
  require(name.size() < 120, "name too long for a one-byte length");
  const auto byte = [](std::size_t value) { return static_cast<char>(value); };
  return std::string{'\x30', byte(name.size() + 2), '\x82', byte(name.size())} + name;
}

std::string many_names() {
  std::string names;
  for (int i = 1; i <= kBigNames; ++i)
    names += (i == 1 ? "DNS:n" : ",DNS:n") + std::to_string(i) + ".example";
  return names;
}

/// Not synced to disk, unlike what certs/ writes: nothing here outlives the test.
void write_plain(const fs::path& path, const std::string& text, fs::perms mode) {
  std::ofstream(path, std::ios::binary) << text;
  fs::permissions(path, mode);
}

constexpr fs::perms kPrivate = fs::perms::owner_read | fs::perms::owner_write;
constexpr fs::perms kPublic = kPrivate | fs::perms::group_read | fs::perms::others_read;

void write_identity(const fs::path& target, Role role, const KeyHandle& key,
                    const std::string& certificates, const fs::path& ca) {
  const IdentityFiles files = identity_files(target, role);
  make_private_directory(target);
  write_plain(files.key, to_pem(key.get()), kPrivate);
  write_plain(files.certificate, certificates, kPublic);
  write_plain(files.ca, read_file(ca), kPublic);
}

std::string make_list(const Pair& ca, const std::vector<CertificateHandle>& revoked, hours updated,
                      hours next_update) {
  const CrlHandle crl(X509_CRL_new());
  X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(ca.certificate.get()));
  ASN1_TIME* time = ASN1_TIME_new();
  X509_gmtime_adj(time, std::chrono::seconds(updated).count());
  X509_CRL_set1_lastUpdate(crl.get(), time);
  X509_gmtime_adj(time, std::chrono::seconds(next_update).count());
  X509_CRL_set1_nextUpdate(crl.get(), time);
  X509_gmtime_adj(time, std::chrono::seconds(updated).count());
  for (const CertificateHandle& certificate : revoked) {
    X509_REVOKED* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate.get()));
    X509_REVOKED_set_revocationDate(entry, time);
    X509_CRL_add0_revoked(crl.get(), entry);
  }
  ASN1_TIME_free(time);
  require(X509_CRL_sign(crl.get(), ca.key.get(), EVP_sha256()) > 0, "CRL");
  return to_pem(crl.get());
}

}  // namespace

std::string_view to_string(Kind kind) noexcept {
  constexpr std::array<std::string_view, 17> kNames{
      "good",    "otherca",   "selfsigned", "expired", "future",  "wrongeku",
      "cnonly",  "wrongname", "wildcard",   "nulname", "revoked", "viachild",
      "weakrsa", "sha1",      "nullcn",     "deep",    "big"};
  return kNames.at(static_cast<std::size_t>(kind));
}

TestPki::TestPki(std::string server_name) : server_name_(std::move(server_name)) {
  std::string pattern = (fs::temp_directory_path() / "rp-pki-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    throw std::runtime_error("test PKI: cannot make a temporary directory");
  directory_ = pattern;
  Authority::create(ca_directory(), {"test CA", 3650});
}

TestPki::~TestPki() {
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

std::string TestPki::name_of(Role role) const {
  return role == Role::server ? server_name_ : "node-a";
}

fs::path TestPki::identity(Role role, Kind kind) {
  const std::lock_guard lock(mutex_);
  const auto known = made_.find({role, kind});
  if (known != made_.end()) return known->second;
  const fs::path target =
      directory_ / (std::string(name(role)) + "-" + std::string(to_string(kind)));
  if (kind == Kind::good) {
    make_good(role, name_of(role), target);
  } else {
    make_hostile(role, kind, target);
  }
  made_.emplace(std::pair(role, kind), target);
  return target;
}

fs::path TestPki::client_named(const std::string& name) {
  const fs::path target = directory_ / ("named-" + name);
  if (!fs::exists(target)) make_good(Role::client, name, target);
  return target;
}

CertificateHandle TestPki::client_with_san(const std::string& san) {
  const Pair ca = read_pair(ca_directory() / "ca.key.pem", ca_certificate());
  Spec spec;
  spec.common_name = "node";
  spec.san = san;
  spec.eku = "clientAuth";
  return make(elliptic_key().get(), spec, ca.certificate.get(), ca.key.get());
}

void TestPki::make_good(Role role, const std::string& name, const fs::path& target) {
  LeafOptions options;
  options.role = role;
  options.name = name;
  Authority::open(ca_directory()).issue(options, target);
}

void TestPki::make_hostile(Role role, Kind kind, const fs::path& target) {
  const bool server = role == Role::server;
  const Pair ca = read_pair(ca_directory() / "ca.key.pem", ca_certificate());
  Pair issuer;
  std::string chain;
  Spec spec;
  spec.common_name = name_of(role);
  spec.san = server ? "DNS:" + server_name_ + ",IP:127.0.0.1" : "DNS:" + name_of(role);
  spec.eku = server ? "serverAuth" : "clientAuth";
  KeyHandle key = elliptic_key();
  const Pair* signer = &ca;

  switch (kind) {
    case Kind::otherca:
      issuer = make_authority("a CA that nobody trusts", nullptr);
      signer = &issuer;
      break;
    case Kind::selfsigned:
      signer = nullptr;
      break;
    case Kind::expired:
      spec.begins = -10 * kDay;
      spec.ends = -5 * kDay;
      break;
    case Kind::future:
      spec.begins = 365 * kDay;
      spec.ends = 730 * kDay;
      break;
    case Kind::wrongeku:
      spec.eku = server ? "clientAuth" : "serverAuth";
      break;
    case Kind::cnonly:
      spec.san.clear();
      break;
    case Kind::wrongname:
      spec.common_name = "elsewhere";
      spec.san = "DNS:elsewhere.example";
      break;
    case Kind::wildcard:
      spec.common_name = "*";
      spec.san = "DNS:*.example,DNS:*";
      break;
    case Kind::nulname:
      spec.san.clear();
      spec.san_der = san_with_bytes(name_of(role) + std::string(1, '\0') + ".evil.example");
      break;
    case Kind::viachild: {
      const IdentityFiles good = files(role);
      issuer = read_pair(good.key, good.certificate);
      chain = read_file(good.certificate);
      spec.common_name += " child";  // else subject and issuer are one name, as if self-signed
      signer = &issuer;
      break;
    }
    case Kind::weakrsa:
      key = KeyHandle(EVP_RSA_gen(kWeakRsaBits));
      break;
    case Kind::sha1:
      spec.digest = EVP_sha1();
      break;
    case Kind::nullcn:
      spec.common_name = "a\r\nlevel=error msg=forged \"quoted\" \033[31m";
      break;
    case Kind::deep:
      for (int depth = 1; depth <= kDeepIntermediates; ++depth) {
        issuer = make_authority("deep" + std::to_string(depth), signer);
        chain.insert(0, to_pem(issuer.certificate.get()));
        signer = &issuer;
      }
      break;
    case Kind::big:
      spec.san = many_names();
      break;
    case Kind::good:
    case Kind::revoked:
      break;  // the certificate itself is good; crl() tells them apart
  }
  require(key != nullptr, "key");
  const CertificateHandle certificate =
      make(key.get(), spec, signer != nullptr ? signer->certificate.get() : nullptr,
           signer != nullptr ? signer->key.get() : nullptr);
  write_identity(target, role, key, to_pem(certificate.get()) + chain, ca_certificate());
}

fs::path TestPki::crl() {
  const fs::path path = directory_ / "fresh.crl.pem";
  if (!fs::exists(path)) write_lists();
  return path;
}

fs::path TestPki::stale_crl() {
  const fs::path path = directory_ / "stale.crl.pem";
  if (!fs::exists(path)) write_lists();
  return path;
}

void TestPki::write_lists() {
  const Pair ca = read_pair(ca_directory() / "ca.key.pem", ca_certificate());
  std::vector<CertificateHandle> revoked;
  for (const Role role : {Role::server, Role::client}) {
    const fs::path path = files(role, Kind::revoked).certificate;
    revoked.push_back(std::move(certificates_from_pem(read_file(path), path).front()));
  }
  write_plain(directory_ / "fresh.crl.pem", make_list(ca, revoked, -kDay, 30 * kDay), kPublic);
  write_plain(directory_ / "stale.crl.pem", make_list(ca, revoked, -60 * kDay, -55 * kDay),
              kPublic);
}

void TestPki::install_crl(const fs::path& crl, const fs::path& identity_directory) {
  replace_files({{identity_directory / "crl.pem", read_file(crl), 0644}});
}

}  // namespace rp::certs::testing
