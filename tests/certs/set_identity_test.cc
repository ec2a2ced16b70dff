#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/certs/scratch.h"
#include "tests/certs/test_pki.h"

// rp_server_set_identity and rp_client_set_identity, as programs.
namespace rp::certs::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class SetIdentityTest : public ::testing::Test {
 protected:
  std::vector<std::string> command(Role role, Kind kind = Kind::good) {
    const IdentityFiles files = pki_.files(role, kind);
    return {role == Role::server ? RP_SERVER_SET_IDENTITY : RP_CLIENT_SET_IDENTITY,
            files.key.string(), files.certificate.string(), files.ca.string()};
  }

  Outcome set(Role role, const std::vector<std::string>& arguments) const {
    const char* variable = role == Role::server ? "RP_SERVER_CERT_PATH" : "RP_CLIENT_CERT_PATH";
    return run_program(arguments, {{variable, place_.string()}});
  }

  TestPki pki_;
  Scratch scratch_;
  const fs::path place_ = scratch_ / "identity";
};

TEST_F(SetIdentityTest, PutsAServersFilesInPlace) {  // parity row 69
  const Outcome outcome = set(Role::server, command(Role::server));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(names_in(place_),
              ElementsAre("ca.crt.pem", "restpipe.server.crt.pem", "restpipe.server.key.pem"));
  EXPECT_EQ(mode_of(place_), 0700U);
  EXPECT_EQ(mode_of(place_ / "restpipe.server.key.pem"), 0600U);
}

TEST_F(SetIdentityTest, PutsAClientsFilesInPlaceWithAndWithoutACa) {  // parity row 69
  auto arguments = command(Role::client);
  arguments.pop_back();
  const Outcome outcome = set(Role::client, arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("needs one to verify its server"));
  EXPECT_THAT(names_in(place_), ElementsAre("restpipe.client.crt.pem", "restpipe.client.key.pem"));
  EXPECT_EQ(mode_of(place_ / "restpipe.client.key.pem"), 0600U);

  EXPECT_EQ(set(Role::client, command(Role::client)).exit_code, 0);
  EXPECT_TRUE(fs::exists(place_ / "ca.crt.pem"));
}

TEST_F(SetIdentityTest, HonoursTheFileNameVariables) {  // parity row 64
  const Outcome outcome =
      run_program(command(Role::client), {{"RP_CLIENT_CERT_PATH", place_.string()},
                                          {"RP_CLIENT_KEY_FILENAME", "my.key.pem"},
                                          {"RP_CLIENT_CRT_FILENAME", scratch_ / "other/my.crt.pem"},
                                          {"RP_CA_CRT_FILENAME", "my.ca.pem"}});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(names_in(place_), ElementsAre("my.ca.pem", "my.key.pem"));
  EXPECT_THAT(names_in(scratch_ / "other"), ElementsAre("my.crt.pem"));
}

TEST_F(SetIdentityTest, MissingArgumentsGetTheUsage) {
  for (const Role role : {Role::server, Role::client}) {
    const std::string program = command(role).front();
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{program}, {program, "key"}, {program, "a", "b", "c", "d"}}) {
      const Outcome outcome = set(role, arguments);
      EXPECT_EQ(outcome.exit_code, 2);
      EXPECT_THAT(outcome.err, StartsWith("usage: "));
    }
  }
  auto without_ca = command(Role::server);
  without_ca.pop_back();
  EXPECT_EQ(set(Role::server, without_ca).exit_code, 2);
  EXPECT_FALSE(fs::exists(place_));
}

TEST_F(SetIdentityTest, GarbageOrMissingInputReplacesNothing) {  // parity row 70
  ASSERT_EQ(set(Role::server, command(Role::server)).exit_code, 0);
  const std::string key = read_text(place_ / "restpipe.server.key.pem");
  const std::string certificate = read_text(place_ / "restpipe.server.crt.pem");
  const std::string ca = read_text(place_ / "ca.crt.pem");
  write_text(scratch_ / "garbage", "not PEM at all\n");

  // A second good set, so that a replacement would be seen.
  const auto other = command(Role::server, Kind::revoked);
  for (std::size_t position = 1; position <= 3; ++position)
    for (const fs::path& bad : {scratch_ / "garbage", scratch_ / "does-not-exist"}) {
      auto arguments = other;
      arguments[position] = bad.string();
      const Outcome outcome = set(Role::server, arguments);
      EXPECT_NE(outcome.exit_code, 0);
      EXPECT_THAT(outcome.err, HasSubstr(bad.string()));
      EXPECT_EQ(read_text(place_ / "restpipe.server.key.pem"), key);
      EXPECT_EQ(read_text(place_ / "restpipe.server.crt.pem"), certificate);
      EXPECT_EQ(read_text(place_ / "ca.crt.pem"), ca);
    }
}

TEST_F(SetIdentityTest, SaysExpiredWithACodeOfItsOwn) {
  EXPECT_EQ(set(Role::server, command(Role::server, Kind::expired)).exit_code, 6);
  EXPECT_EQ(set(Role::server, command(Role::server, Kind::otherca)).exit_code, 5);
}

TEST_F(SetIdentityTest, AnEncryptedKeyWithoutATerminalIsAnErrorAndNoHang) {
  auto arguments = command(Role::client);
  const std::string encrypted = scratch_ / "encrypted.pem";
  ASSERT_EQ(run_program({"openssl", "pkcs8", "-topk8", "-in", arguments[1], "-out", encrypted,
                         "-passout", "pass:secret"})
                .exit_code,
            0);
  arguments[1] = encrypted;
  const Outcome outcome = set(Role::client, arguments);
  EXPECT_EQ(outcome.exit_code, 5);
  EXPECT_THAT(outcome.err, HasSubstr("encrypted"));
  EXPECT_FALSE(fs::exists(place_));
}

TEST_F(SetIdentityTest, APassphraseIsAskedOnTheTerminal) {
  auto arguments = command(Role::client);
  const std::string encrypted = scratch_ / "encrypted.pem";
  ASSERT_EQ(run_program({"openssl", "pkcs8", "-topk8", "-in", arguments[1], "-out", encrypted,
                         "-passout", "pass:secret"})
                .exit_code,
            0);
  const Outcome outcome = run_on_terminal(arguments, {{"RP_CLIENT_CERT_PATH", place_.string()}},
                                          "Passphrase of", "secret");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out;
  EXPECT_THAT(outcome.out, Not(HasSubstr("secret")));
  EXPECT_TRUE(fs::exists(place_ / "restpipe.client.key.pem"));
}

}  // namespace
}  // namespace rp::certs::testing
