#include <filesystem>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/certs/scratch.h"

// `cmake --install` into an empty root, looked at as an administrator would.
namespace rp {
namespace {

namespace fs = std::filesystem;
using certs::testing::mode_of;
using certs::testing::Outcome;
using certs::testing::read_text;
using certs::testing::run_program;
using certs::testing::Scratch;
using certs::testing::write_text;
using ::testing::HasSubstr;

class PackageTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    root_ = std::make_unique<Scratch>();
    install();
  }
  static void TearDownTestSuite() { root_.reset(); }

  static void install() {
    const Outcome outcome =
        run_program({RP_CMAKE, "--install", RP_BUILD_DIRECTORY, "--prefix", "/usr"},
                    {{"DESTDIR", root_->directory().string()}});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }

  static fs::path at(const std::string& path) { return *root_ / path; }

  static std::unique_ptr<Scratch> root_;
};

std::unique_ptr<Scratch> PackageTest::root_;

TEST_F(PackageTest, PutsEverythingWhereItIsLookedFor) {
  for (const char* program : {"restpipe", "rp_server_set_identity", "rp_client_set_identity"})
    EXPECT_EQ(mode_of(at(std::string("usr/bin/") + program)), 0755U) << program;
  for (const char* file :
       {"usr/lib/restpipe/plugins/restpipe_demo.so", "usr/include/restpipe/plugin.h",
        "usr/lib/systemd/system/restpipe-server.service",
        "usr/lib/systemd/system/restpipe-client.service", "etc/restpipe/server.toml",
        "etc/restpipe/client.toml", "usr/share/bash-completion/completions/restpipe",
        "usr/share/doc/restpipe/identities.md", "usr/share/doc/restpipe/examples/nginx.conf"})
    EXPECT_TRUE(fs::is_regular_file(at(file))) << file;
}

TEST_F(PackageTest, TheDefaultSettingsAreAcceptedAndChangeNothing) {
  for (const std::string role : {"server", "client"}) {
    const std::string file = at("etc/restpipe/" + role + ".toml").string();
    const Outcome outcome =
        run_program({at("usr/bin/restpipe").string(), "config", "check", "--config", file, role});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    for (const char* line_start : {"\nlisten", "\nrest ", "\nidentity"})
      EXPECT_THAT(read_text(file), Not(HasSubstr(line_start))) << role;
  }
}

TEST_F(PackageTest, UnitsNameTheInstalledProgramAndSettings) {
  for (const std::string role : {"server", "client"})
    EXPECT_THAT(read_text(at("usr/lib/systemd/system/restpipe-" + role + ".service")),
                HasSubstr("ExecStart=/usr/bin/restpipe " + role + " --config /etc/restpipe/" +
                          role + ".toml\n"));
}

TEST_F(PackageTest, UnitsExposeLittle) {
  if (run_program({"systemd-analyze", "--version"}).exit_code != 0)
    GTEST_SKIP() << "systemd-analyze is not available";
  for (const std::string role : {"server", "client"}) {
    const Outcome outcome = run_program(
        {"systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager",
         at("usr/lib/systemd/system/restpipe-" + role + ".service").string()});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  }
}

TEST_F(PackageTest, InstallingAgainKeepsTheAdministratorsSettings) {
  write_text(at("etc/restpipe/server.toml"), "name = \"mine\"\n");
  install();
  EXPECT_EQ(read_text(at("etc/restpipe/server.toml")), "name = \"mine\"\n");
  fs::remove(at("etc/restpipe/server.toml"));
  install();
  EXPECT_THAT(read_text(at("etc/restpipe/server.toml")), HasSubstr("# listen"));
}

}  // namespace
}  // namespace rp
