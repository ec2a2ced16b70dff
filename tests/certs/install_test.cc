#include "certs/install.h"

#include <functional>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "certs/error.h"
#include "tests/certs/scratch.h"
#include "tests/certs/test_pki.h"

namespace rp::certs::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InstallTest : public ::testing::Test {
 protected:
  InstallSources sources(Role role, Kind kind = Kind::good) {
    const IdentityFiles files = pki_.files(role, kind);
    return {files.key, files.certificate, files.ca};
  }

  ErrorKind kind_of_failure(const InstallSources& from, Role role,
                            const PassphrasePrompt& prompt = {}) {
    try {
      install_identity(from, target(role), role, prompt);
    } catch (const Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorKind::internal;
  }

  IdentityFiles target(Role role) const { return identity_files(place_, role); }

  TestPki pki_;
  Scratch scratch_;
  const fs::path place_ = scratch_ / "deep/identity";
};

TEST_F(InstallTest, PutsAllThreeInPlaceUnderTheReferencesNames) {  // parity row 69
  EXPECT_EQ(install_identity(sources(Role::server), target(Role::server), Role::server),
            "localhost");
  EXPECT_THAT(names_in(place_),
              ElementsAre("ca.crt.pem", "restpipe.server.crt.pem", "restpipe.server.key.pem"));
  EXPECT_EQ(mode_of(place_), 0700U);
  EXPECT_EQ(mode_of(place_ / "restpipe.server.key.pem"), 0600U);
  EXPECT_EQ(mode_of(place_ / "restpipe.server.crt.pem"), 0644U);
  EXPECT_EQ(Identity::load(target(Role::server), Role::server).name(), "localhost");
}

TEST_F(InstallTest, RefusesWhatANodeWouldRefuseAndReplacesNothing) {  // parity row 70
  install_identity(sources(Role::client), target(Role::client), Role::client);
  const std::string key = read_text(target(Role::client).key);
  const std::string certificate = read_text(target(Role::client).certificate);
  for (const Kind kind : {Kind::otherca, Kind::expired, Kind::future, Kind::wrongeku, Kind::cnonly,
                          Kind::wildcard, Kind::nulname, Kind::weakrsa, Kind::sha1}) {
    kind_of_failure(sources(Role::client, kind), Role::client);
    EXPECT_EQ(read_text(target(Role::client).key), key) << to_string(kind);
    EXPECT_EQ(read_text(target(Role::client).certificate), certificate) << to_string(kind);
  }
  EXPECT_THAT(names_in(place_),
              ElementsAre("ca.crt.pem", "restpipe.client.crt.pem", "restpipe.client.key.pem"));
}

TEST_F(InstallTest, RefusesAKeyOfAnotherCertificateWithoutMakingTheDirectory) {
  InstallSources mixed = sources(Role::client);
  mixed.key = pki_.files(Role::client, Kind::revoked).key;
  EXPECT_EQ(kind_of_failure(mixed, Role::client), ErrorKind::mismatch);
  EXPECT_FALSE(fs::exists(place_));
}

TEST_F(InstallTest, TakesAKeyThatOthersCouldReadAndClosesIt) {
  const InstallSources from = sources(Role::client);
  ASSERT_EQ(::chmod(from.key.c_str(), 0644), 0);
  install_identity(from, target(Role::client), Role::client);
  EXPECT_EQ(mode_of(target(Role::client).key), 0600U);
}

TEST_F(InstallTest, AClientMayGetItsCaLater) {
  InstallSources from = sources(Role::client);
  from.ca.reset();
  EXPECT_EQ(install_identity(from, target(Role::client), Role::client), "node-a");
  EXPECT_FALSE(fs::exists(target(Role::client).ca));
  InstallSources cnonly = sources(Role::client, Kind::cnonly);
  cnonly.ca.reset();
  EXPECT_EQ(kind_of_failure(cnonly, Role::client), ErrorKind::no_name);
  InstallSources expired = sources(Role::client, Kind::expired);
  expired.ca.reset();
  EXPECT_EQ(kind_of_failure(expired, Role::client), ErrorKind::expired);
}

TEST_F(InstallTest, ChecksAgainstTheCaThatIsInstalled) {
  install_identity(sources(Role::client), target(Role::client), Role::client);
  InstallSources foreign = sources(Role::client, Kind::otherca);
  foreign.ca.reset();
  EXPECT_EQ(kind_of_failure(foreign, Role::client), ErrorKind::untrusted);
}

TEST_F(InstallTest, DecryptsAKeyWithItsPassphraseOnly) {
  InstallSources from = sources(Role::client);
  const fs::path encrypted = scratch_ / "encrypted.pem";
  ASSERT_EQ(run_program({"openssl", "pkcs8", "-topk8", "-in", from.key.string(), "-out",
                         encrypted.string(), "-passout", "pass:secret"})
                .exit_code,
            0);
  from.key = encrypted;
  EXPECT_EQ(kind_of_failure(from, Role::client), ErrorKind::malformed);
  EXPECT_EQ(kind_of_failure(from, Role::client, [] { return std::string("wrong"); }),
            ErrorKind::malformed);
  EXPECT_EQ(kind_of_failure(from, Role::client, [] { return std::optional<std::string>(); }),
            ErrorKind::malformed);
  install_identity(from, target(Role::client), Role::client, [] { return std::string("secret"); });
  EXPECT_EQ(Identity::load(target(Role::client), Role::client).name(), "node-a");
}

TEST_F(InstallTest, RefusesACaThatTheInstalledRevocationListIsNotOf) {
  install_identity(sources(Role::client), target(Role::client), Role::client);
  install_crl(pki_.crl(), target(Role::client));
  TestPki other;
  const IdentityFiles files = other.files(Role::client);
  EXPECT_EQ(kind_of_failure({files.key, files.certificate, files.ca}, Role::client),
            ErrorKind::untrusted);
}

TEST_F(InstallTest, InstallsARevocationListOfItsOwnCaOnly) {
  install_identity(sources(Role::client), target(Role::client), Role::client);
  TestPki other;
  EXPECT_THROW(install_crl(other.crl(), target(Role::client)), Error);
  EXPECT_FALSE(fs::exists(target(Role::client).crl));
  install_crl(pki_.crl(), target(Role::client));
  EXPECT_TRUE(fs::exists(target(Role::client).crl));
}

}  // namespace
}  // namespace rp::certs::testing
