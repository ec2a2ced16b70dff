#include <sys/stat.h>

#include <gtest/gtest.h>

#include "tests/product/harness/lab.h"

/// Identities as an operator makes and installs them: rows 69 and 70.
namespace rp::product {
namespace {

unsigned mode_of(const std::filesystem::path& file) {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 ? status.st_mode & 07777u : 0;
}

class IdentityParityTest : public LabTest {
 protected:
  /// `rp_server_set_identity` or `rp_client_set_identity` with the directory that it installs to.
  Finished set(const std::string& role, std::vector<std::string> arguments) {
    const auto tool =
        std::filesystem::path(RP_RESTPIPE).parent_path() / ("rp_" + role + "_set_identity");
    arguments.insert(arguments.begin(), tool.string());
    const auto variable = role == "server" ? "RP_SERVER_CERT_PATH=" : "RP_CLIENT_CERT_PATH=";
    return run({.argv = std::move(arguments), .env = {variable + home().string()}});
  }

  std::filesystem::path home() const { return authority_.scratch("home"); }
};

TEST_F(IdentityParityTest, Row69_ServerFilesAppearUnderTheirNames) {
  const auto from = authority_.server();
  const auto key = from / "restpipe.server.key.pem";
  const auto crt = from / "restpipe.server.crt.pem";
  const auto result =
      set("server", {key.string(), crt.string(), authority_.ca_certificate().string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(read_text(home() / "restpipe.server.key.pem"), read_text(key));
  EXPECT_EQ(read_text(home() / "restpipe.server.crt.pem"), read_text(crt));
  EXPECT_EQ(read_text(home() / "ca.crt.pem"), read_text(authority_.ca_certificate()));
  EXPECT_EQ(mode_of(home() / "restpipe.server.key.pem"), 0600u);

  server_ = make_server({.identity = home()});
  EXPECT_TRUE(server_->ready());
}

TEST_F(IdentityParityTest, Row69_ClientFilesAppearUnderTheirNames) {
  const auto from = authority_.client();
  const auto result = set("client", {(from / "restpipe.client.key.pem").string(),
                                     (from / "restpipe.client.crt.pem").string(),
                                     authority_.ca_certificate().string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(mode_of(home() / "restpipe.client.key.pem"), 0600u);
  EXPECT_EQ(read_text(home() / "restpipe.client.crt.pem"),
            read_text(from / "restpipe.client.crt.pem"));

  // As in the reference, the CA may be left out when it is in place.
  const auto again = set("client", {(from / "restpipe.client.key.pem").string(),
                                    (from / "restpipe.client.crt.pem").string()});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(read_text(home() / "ca.crt.pem"), read_text(authority_.ca_certificate()));
}

TEST_F(IdentityParityTest, Row70_NothingIsReplacedByGarbage) {
  const auto from = authority_.server();
  const auto key = (from / "restpipe.server.key.pem").string();
  const auto crt = (from / "restpipe.server.crt.pem").string();
  const auto ca = authority_.ca_certificate().string();
  ASSERT_EQ(set("server", {key, crt, ca}).exit_code, 0);

  const auto next = authority_.server("next");
  const auto next_key = (next / "restpipe.server.key.pem").string();
  const auto next_crt = (next / "restpipe.server.crt.pem").string();
  const auto garbage = authority_.scratch("garbage").string();
  write_text(garbage, "-----BEGIN CERTIFICATE-----\nnonsense\n");
  const auto missing = authority_.scratch("missing").string();
  Authority other;

  const std::vector<std::vector<std::string>> bad = {
      {next_key, garbage, ca},
      {garbage, next_crt, ca},
      {next_key, next_crt, garbage},
      {missing, next_crt, ca},
      {next_key, missing, ca},
      {next_key, next_crt, missing},
      {next_key, crt, ca},                                    // of two identities
      {next_key, next_crt, other.ca_certificate().string()},  // another CA's
  };
  for (const auto& arguments : bad) {
    SCOPED_TRACE(arguments[0] + " " + arguments[1] + " " + arguments[2]);
    const auto result = set("server", arguments);
    EXPECT_NE(result.exit_code, 0);
    EXPECT_FALSE(result.err.empty());
    EXPECT_EQ(read_text(home() / "restpipe.server.key.pem"), read_text(key));
    EXPECT_EQ(read_text(home() / "restpipe.server.crt.pem"), read_text(crt));
    EXPECT_EQ(read_text(home() / "ca.crt.pem"), read_text(ca));
  }
  EXPECT_EQ(set("server", {key}).exit_code, 2) << "a missing argument is a usage error";
}

TEST_F(LabTest, IdentitiesAreMadeShownAndChecked) {
  const auto server = authority_.server();
  EXPECT_EQ(mode_of(server / "restpipe.server.key.pem"), 0600u);
  EXPECT_EQ(mode_of(authority_.ca() / "ca.key.pem"), 0600u);
  const auto shown = restpipe({"identity", "show", server.string()});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_TRUE(contains(shown.out, "hub")) << shown.out;
  EXPECT_TRUE(contains(shown.out, "localhost")) << shown.out;
  EXPECT_EQ(restpipe({"identity", "check", server.string()}).exit_code, 0);
  std::filesystem::permissions(server / "restpipe.server.key.pem", std::filesystem::perms(0644));
  EXPECT_EQ(restpipe({"identity", "check", server.string()}).exit_code, 5);
}

}  // namespace
}  // namespace rp::product
