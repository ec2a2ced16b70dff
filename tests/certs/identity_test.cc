#include "certs/identity.h"

#include <cstring>
#include <map>
#include <optional>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "certs/files.h"
#include "certs/install.h"
#include "certs/peer.h"
#include "certs/pem.h"
#include "certs/replace.h"
#include "tests/certs/scratch.h"
#include "tests/certs/test_pki.h"

namespace rp::certs::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::system_clock;
using ::testing::HasSubstr;
using ::testing::SizeIs;

struct Judgement {
  std::optional<ErrorKind> kind;  // nothing: loaded
  std::string sentence;
};

Judgement judge(const IdentityFiles& files, Role role, WallTime now = system_clock::now()) {
  try {
    Identity::load(files, role, now);
    return {};
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  }
}

class IdentityTest : public ::testing::Test {
 protected:
  Judgement judge_client() { return judge(pki_.files(Role::client), Role::client); }

  TestPki pki_;
};

TEST_F(IdentityTest, LoadsAGoodOneOfEitherRole) {
  const Identity server = Identity::load(pki_.files(Role::server), Role::server);
  EXPECT_EQ(server.name(), "localhost");
  EXPECT_EQ(server.role(), Role::server);
  EXPECT_NE(server.certificate(), nullptr);
  EXPECT_NE(server.private_key(), nullptr);
  EXPECT_THAT(server.authorities(), SizeIs(1));
  EXPECT_THAT(server.intermediates(), SizeIs(0));
  EXPECT_THAT(server.crls(), SizeIs(0));
  EXPECT_GT(server.not_after(), system_clock::now() + hours(24 * 390));
  EXPECT_LT(server.not_before(), system_clock::now());
  EXPECT_EQ(Identity::load(pki_.files(Role::client), Role::client).name(), "node-a");
}

TEST_F(IdentityTest, RefusesEachHostileKindForItsOwnReason) {
  const std::map<Kind, ErrorKind> expected{
      {Kind::otherca, ErrorKind::untrusted},  {Kind::selfsigned, ErrorKind::untrusted},
      {Kind::expired, ErrorKind::expired},    {Kind::future, ErrorKind::not_yet_valid},
      {Kind::wrongeku, ErrorKind::untrusted}, {Kind::cnonly, ErrorKind::no_name},
      {Kind::wildcard, ErrorKind::no_name},   {Kind::nulname, ErrorKind::no_name},
      {Kind::viachild, ErrorKind::untrusted}, {Kind::weakrsa, ErrorKind::untrusted},
      {Kind::sha1, ErrorKind::untrusted},     {Kind::deep, ErrorKind::untrusted},
      {Kind::big, ErrorKind::no_name},        {Kind::revoked, ErrorKind::untrusted},
  };
  for (const Role role : {Role::server, Role::client}) {
    TestPki::install_crl(pki_.crl(), pki_.identity(role, Kind::revoked));
    for (const Kind kind : kRefusedKinds) {
      const IdentityFiles files = pki_.files(role, kind);
      const Judgement judgement = judge(files, role);
      ASSERT_TRUE(judgement.kind) << to_string(kind);
      EXPECT_EQ(*judgement.kind, expected.at(kind)) << to_string(kind) << judgement.sentence;
      EXPECT_THAT(judgement.sentence, HasSubstr(files.certificate.string()));
    }
  }
}

TEST_F(IdentityTest, AForgedCommonNameChangesNothing) {
  EXPECT_EQ(Identity::load(pki_.files(Role::client, Kind::nullcn), Role::client).name(), "node-a");
}

TEST_F(IdentityTest, NamesTheFileThatIsMissing) {
  for (const auto member : {&IdentityFiles::key, &IdentityFiles::certificate, &IdentityFiles::ca}) {
    IdentityFiles files = pki_.files(Role::client);
    files.*member = pki_.directory() / "nothing.pem";
    const Judgement judgement = judge(files, Role::client);
    EXPECT_EQ(judgement.kind, ErrorKind::missing);
    EXPECT_THAT(judgement.sentence, HasSubstr("nothing.pem"));
  }
}

TEST_F(IdentityTest, NamesTheFileThatIsGarbage) {
  const fs::path garbage = pki_.directory() / "garbage.pem";
  write_text(garbage, "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n");
  ASSERT_EQ(::chmod(garbage.c_str(), 0600), 0);
  for (const auto member : {&IdentityFiles::key, &IdentityFiles::certificate, &IdentityFiles::ca,
                            &IdentityFiles::crl}) {
    IdentityFiles files = pki_.files(Role::client);
    files.*member = garbage;
    const Judgement judgement = judge(files, Role::client);
    EXPECT_EQ(judgement.kind, ErrorKind::malformed);
    EXPECT_THAT(judgement.sentence, HasSubstr("garbage.pem"));
  }
}

TEST_F(IdentityTest, RefusesALooseKey) {
  ASSERT_EQ(::chmod(pki_.files(Role::client).key.c_str(), 0640), 0);
  EXPECT_EQ(judge_client().kind, ErrorKind::loose_permissions);
}

TEST_F(IdentityTest, RefusesAnEncryptedKey) {
  const fs::path key = pki_.files(Role::client).key;
  const fs::path encrypted = pki_.directory() / "encrypted.pem";
  ASSERT_EQ(run_program({"openssl", "pkcs8", "-topk8", "-in", key.string(), "-out",
                         encrypted.string(), "-passout", "pass:secret"})
                .exit_code,
            0);
  ASSERT_EQ(::chmod(encrypted.c_str(), 0600), 0);
  IdentityFiles files = pki_.files(Role::client);
  files.key = encrypted;
  const Judgement judgement = judge(files, Role::client);
  EXPECT_EQ(judgement.kind, ErrorKind::malformed);
  EXPECT_THAT(judgement.sentence, HasSubstr("encrypted"));
}

TEST_F(IdentityTest, RefusesAKeyOfAnotherCertificate) {
  IdentityFiles files = pki_.files(Role::client);
  files.key = pki_.files(Role::client, Kind::revoked).key;
  EXPECT_EQ(judge(files, Role::client).kind, ErrorKind::mismatch);
}

TEST_F(IdentityTest, IsJudgedAtTheGivenTime) {
  const IdentityFiles files = pki_.files(Role::client);
  EXPECT_EQ(judge(files, Role::client, system_clock::now() + hours(24 * 400)).kind,
            ErrorKind::expired);
  EXPECT_EQ(judge(files, Role::client, system_clock::now() - hours(2)).kind,
            ErrorKind::not_yet_valid);
}

TEST_F(IdentityTest, TakesRsaOf2048BitsFromAnotherKit) {
  const auto path = [&](const char* name) { return (pki_.directory() / name).string(); };
  const std::string ca_key = (pki_.ca_directory() / "ca.key.pem").string();
  write_text(path("ext"), "subjectAltName=DNS:kit\nextendedKeyUsage=clientAuth\n");
  ASSERT_EQ(run_program({"openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout",
                         path("kit.key"), "-out", path("kit.csr"), "-subj", "/CN=kit"})
                .exit_code,
            0);
  ASSERT_EQ(run_program({"openssl", "x509", "-req", "-in", path("kit.csr"), "-CA",
                         pki_.ca_certificate().string(), "-CAkey", ca_key, "-extfile", path("ext"),
                         "-out", path("kit.crt"), "-days", "30", "-set_serial", "7"})
                .exit_code,
            0);
  ASSERT_EQ(::chmod(path("kit.key").c_str(), 0600), 0);
  const IdentityFiles files{path("kit.key"), path("kit.crt"), pki_.ca_certificate(), path("none")};
  EXPECT_EQ(Identity::load(files, Role::client).name(), "kit");
}

TEST_F(IdentityTest, RefusesARevocationListOfAnotherAuthority) {
  TestPki other;
  TestPki::install_crl(other.crl(), pki_.client());
  const Judgement judgement = judge_client();
  EXPECT_EQ(judgement.kind, ErrorKind::untrusted);
  EXPECT_THAT(judgement.sentence, HasSubstr("crl.pem"));
}

TEST_F(IdentityTest, StartsWithAStaleRevocationListAndSaysSo) {
  TestPki::install_crl(pki_.stale_crl(), pki_.client());
  const Identity identity = Identity::load(pki_.files(Role::client), Role::client);
  EXPECT_TRUE(has_stale_crl(identity, system_clock::now()));
  TestPki::install_crl(pki_.crl(), pki_.client());
  EXPECT_FALSE(
      has_stale_crl(Identity::load(pki_.files(Role::client), Role::client), system_clock::now()));
}

TEST_F(IdentityTest, FindsItsFilesByTheReferencesVariables) {  // parity row 64
  const std::map<std::string, const char*> environment{
      {"RP_CLIENT_CERT_PATH", "/etc/pipe"},
      {"RP_CLIENT_KEY_FILENAME", "my.key"},
      {"RP_CLIENT_CRT_FILENAME", "/elsewhere/my.crt"},
      {"RP_CA_CRT_FILENAME", ""},
  };
  const auto get = [&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second;
  };
  const IdentityFiles files = identity_files(directory_from_environment(Role::client, get),
                                             file_names_from_environment(Role::client, get));
  EXPECT_EQ(files.key, "/etc/pipe/my.key");
  EXPECT_EQ(files.certificate, "/elsewhere/my.crt");
  EXPECT_EQ(files.ca, "/etc/pipe/ca.crt.pem");
  EXPECT_EQ(files.crl, "/etc/pipe/crl.pem");
  EXPECT_EQ(directory_from_environment(Role::server, get), "/var/lib/restpipe");
  EXPECT_EQ(file_names_from_environment(Role::server, get).key, "restpipe.server.key.pem");
}

TEST_F(IdentityTest, AStampChangesWithEveryFile) {
  const IdentityFiles files = pki_.files(Role::client);
  const IdentityStamp before = IdentityStamp::of(files);
  EXPECT_EQ(IdentityStamp::of(files), before);

  TestPki::install_crl(pki_.crl(), pki_.client());
  const IdentityStamp with_crl = IdentityStamp::of(files);
  EXPECT_NE(with_crl, before);
  // Same bytes, same size: a renewed file still is another file.
  replace_files({{files.certificate, read_file(files.certificate), 0644}});
  EXPECT_NE(IdentityStamp::of(files), with_crl);
  fs::remove(files.crl);
  EXPECT_NE(IdentityStamp::of(files), with_crl);
}

TEST(ExpiryWarningTest, TightensAsTheEndComesNearer) {
  const WallTime now = system_clock::now();
  const auto warning = [&](hours left) { return expiry_warning_days(now + left, now); };
  EXPECT_EQ(warning(hours(31 * 24)), -1);
  EXPECT_EQ(warning(hours(30 * 24)), 30);
  EXPECT_EQ(warning(hours(15 * 24)), 30);
  EXPECT_EQ(warning(hours(14 * 24)), 14);
  EXPECT_EQ(warning(hours(7 * 24)), 7);
  EXPECT_EQ(warning(hours(2 * 24)), 7);
  EXPECT_EQ(warning(hours(24)), 1);
  EXPECT_EQ(warning(hours(0)), 1);
  EXPECT_EQ(warning(hours(-1)), 0);
}

}  // namespace
}  // namespace rp::certs::testing
