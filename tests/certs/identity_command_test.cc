#include "tools/restpipe/identity_command.h"

#include <algorithm>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "certs/authority.h"
#include "tests/certs/scratch.h"
#include "tests/certs/test_pki.h"

// `restpipe identity ...`, in this process.
namespace rp::certs::testing {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Outcome identity(std::vector<std::string> arguments) {
  CLI::App app("restpipe", "restpipe");
  app.require_subcommand(1);
  Outcome outcome;
  tools::add_identity_command(app, outcome.exit_code);
  arguments.insert(arguments.begin(), "identity");
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes a vector
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    outcome.exit_code = app.exit(error) == 0 ? 0 : 2;
  }
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  return outcome;
}

class IdentityCommandTest : public ::testing::Test {
 protected:
  std::string ca() const { return scratch_ / "ca"; }
  std::string server() const { return scratch_ / "server"; }
  std::string client() const { return scratch_ / "client"; }

  void make_all() {
    ASSERT_EQ(identity({"ca", "--dir", ca()}).exit_code, 0);
    ASSERT_EQ(identity({"server", "pipe.example", "--ca", ca(), "--out", server()}).exit_code, 0);
    ASSERT_EQ(identity({"client", "node-a", "--ca", ca(), "--out", client()}).exit_code, 0);
  }

  json::object shown(const std::string& directory) {
    const Outcome outcome = identity({"show", directory, "--output", "json"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return json::parse(outcome.out).as_object();
  }

  Scratch scratch_;
};

TEST_F(IdentityCommandTest, MakesWhatANodeTakes) {
  make_all();
  EXPECT_EQ(Identity::load(identity_files(server(), Role::server), Role::server).name(),
            "pipe.example");
  EXPECT_EQ(Identity::load(identity_files(client(), Role::client), Role::client).name(), "node-a");
  EXPECT_THAT(identity({"check", server()}).out,
              StartsWith("ok: server identity \"pipe.example\""));
  EXPECT_THAT(identity({"check", client()}).out, StartsWith("ok: client identity \"node-a\""));
  EXPECT_THAT(identity({"check", ca()}).out, StartsWith("ok: authority"));
}

TEST_F(IdentityCommandTest, TakesFurtherNamesOneByOne) {
  ASSERT_EQ(identity({"ca", "--dir", ca(), "--name", "our CA", "--days", "30"}).exit_code, 0);
  const Outcome outcome =
      identity({"server", "--san", "IP:192.0.2.7", "--san", "other.example", "pipe.example", "--ca",
                ca(), "--out", server(), "--days", "9"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json::object first = shown(server()).at("certificates").at(0).as_object();
  EXPECT_EQ(first.at("dns_names"), json::value({"pipe.example", "localhost", "other.example"}));
  EXPECT_EQ(first.at("ip_addresses"), json::value({"127.0.0.1", "::1", "192.0.2.7"}));
  EXPECT_EQ(first.at("days_left").to_number<int>(), 8);
  EXPECT_EQ(first.at("issuer").as_string(), "CN=our CA");
}

TEST_F(IdentityCommandTest, ShowsEveryFactAsTextAndJson) {
  make_all();
  const Outcome text = identity({"show", client()});
  EXPECT_THAT(text.out, AllOf(StartsWith("client node-a\n"), HasSubstr("serial"),
                              HasSubstr("EC P-256"), HasSubstr("days left"), HasSubstr("SHA-256")));
  const json::object certificate = shown(client()).at("certificates").at(0).as_object();
  for (const char* key :
       {"role", "file", "name", "subject", "issuer", "serial", "dns_names", "ip_addresses",
        "not_before", "not_after", "days_left", "key_type", "fingerprint_sha256"})
    EXPECT_TRUE(certificate.contains(key)) << key;
  const std::string file = client() + "/restpipe.client.crt.pem";
  const std::string fingerprint =
      run_program({"openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", file}).out;
  EXPECT_THAT(fingerprint,
              HasSubstr(std::string(certificate.at("fingerprint_sha256").as_string())));
}

TEST_F(IdentityCommandTest, ShowsWhatAnAuthorityIssued) {
  make_all();
  const json::array issued = shown(ca()).at("issued").as_array();
  ASSERT_EQ(issued.size(), 2U);
  EXPECT_EQ(issued[1].at("name").as_string(), "node-a");
  EXPECT_TRUE(issued[1].at("revoked_at").is_null());
  EXPECT_THAT(identity({"show", ca()}).out, HasSubstr("node-a"));
}

TEST_F(IdentityCommandTest, ShowsHostileCertificatesWithoutForgingLines) {
  TestPki pki;
  const Outcome forged = identity({"show", pki.client(Kind::nullcn).string()});
  EXPECT_THAT(forged.out, Not(HasSubstr("\r")));
  EXPECT_THAT(forged.out, Not(HasSubstr("\033")));
  EXPECT_THAT(identity({"show", pki.client(Kind::nulname).string()}).out,
              AllOf(HasSubstr("node-a\\x00.evil.example"), HasSubstr("refused")));
}

TEST_F(IdentityCommandTest, InstallsForTheRoleThatTheCertificateIsFor) {
  make_all();
  const std::string place = scratch_ / "place";
  const Outcome outcome =
      identity({"install", "--identity", place, server() + "/restpipe.server.key.pem",
                server() + "/restpipe.server.crt.pem", ca() + "/ca.crt.pem"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(names_in(place),
              ElementsAre("ca.crt.pem", "restpipe.server.crt.pem", "restpipe.server.key.pem"));
  EXPECT_EQ(
      identity({"install", "--identity", place, client() + "/restpipe.client.key.pem",
                client() + "/restpipe.client.crt.pem", ca() + "/ca.crt.pem", "--role", "server"})
          .exit_code,
      5);
}

TEST_F(IdentityCommandTest, ChecksWithTheExitCodesOfANode) {
  TestPki pki;
  const auto check = [&](Kind kind) { return identity({"check", pki.client(kind).string()}); };
  EXPECT_EQ(check(Kind::good).exit_code, 0);
  EXPECT_EQ(check(Kind::expired).exit_code, 6);
  EXPECT_EQ(check(Kind::future).exit_code, 6);
  for (const Kind kind : {Kind::otherca, Kind::cnonly, Kind::wrongeku, Kind::sha1})
    EXPECT_EQ(check(kind).exit_code, 5) << to_string(kind);
  ASSERT_EQ(::chmod(pki.files(Role::client).key.c_str(), 0644), 0);
  const Outcome loose = check(Kind::good);
  EXPECT_EQ(loose.exit_code, 5);
  EXPECT_EQ(std::count(loose.err.begin(), loose.err.end(), '\n'), 1);
  EXPECT_EQ(identity({"check", (scratch_ / "nothing").string()}).exit_code, 5);
}

TEST_F(IdentityCommandTest, WarnsOfAnEndThatIsNear) {
  ASSERT_EQ(identity({"ca", "--dir", ca()}).exit_code, 0);
  ASSERT_EQ(
      identity({"client", "node-a", "--ca", ca(), "--out", client(), "--days", "5"}).exit_code, 0);
  const Outcome outcome = identity({"check", client()});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("within 7 days"));
}

TEST_F(IdentityCommandTest, RevokesAndInstallsTheList) {
  make_all();
  const Outcome outcome = identity({"revoke", "node-a", "--ca", ca(), "--install", server()});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("revoked node-a serial "));
  EXPECT_TRUE(fs::exists(server() + "/crl.pem"));
  fs::copy_file(ca() + "/crl.pem", client() + "/crl.pem");
  EXPECT_EQ(identity({"check", client()}).exit_code, 5);
  EXPECT_EQ(identity({"check", server()}).exit_code, 0);
  EXPECT_EQ(identity({"revoke", "nobody", "--ca", ca()}).exit_code, 5);
}

TEST_F(IdentityCommandTest, RefusesBadNamesAndUsesWithCodeTwo) {
  ASSERT_EQ(identity({"ca", "--dir", ca()}).exit_code, 0);
  EXPECT_EQ(identity({"client", "*.example", "--ca", ca(), "--out", client()}).exit_code, 2);
  EXPECT_EQ(
      identity({"client", "node-a", "--ca", ca(), "--out", client(), "--days", "999"}).exit_code,
      2);
  EXPECT_EQ(identity({"client", "node-a", "--out", client()}).exit_code, 2);
  EXPECT_EQ(identity({"client", "node-a", "--ca", ca(), "--out", client(), "--san", "x"}).exit_code,
            2);
  EXPECT_EQ(identity({}).exit_code, 2);
  EXPECT_FALSE(fs::exists(client()));
}

TEST_F(IdentityCommandTest, HelpShowsAnExampleForEach) {
  for (const char* command : {"ca", "server", "client", "install", "show", "check", "revoke"}) {
    const Outcome outcome = identity({command, "--help"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.out, HasSubstr(std::string("restpipe identity ") + command)) << command;
  }
}

}  // namespace
}  // namespace rp::certs::testing
