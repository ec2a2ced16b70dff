#include "certs/authority.h"

#include <algorithm>
#include <functional>
#include <set>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "certs/error.h"
#include "certs/files.h"
#include "certs/peer.h"
#include "certs/pem.h"
#include "certs/x509_facts.h"
#include "tests/certs/scratch.h"

namespace rp::certs::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::system_clock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

ErrorKind kind_of_failure(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorKind::internal;
}

LeafOptions leaf(Role role, const std::string& name) {
  LeafOptions options;
  options.role = role;
  options.name = name;
  return options;
}

CertificateFacts facts_of(const fs::path& file) {
  return describe(certificates_from_pem(read_file(file), file).front().get());
}

class AuthorityTest : public ::testing::Test {
 protected:
  ~AuthorityTest() override { ::umask(umask_); }

  const mode_t umask_ = ::umask(022);
  Scratch scratch_;
  const fs::path ca_ = scratch_ / "ca";
  Authority authority_ = Authority::create(ca_);
};

TEST_F(AuthorityTest, KeepsItsKeyToItself) {
  EXPECT_THAT(names_in(ca_), ElementsAre("ca.crt.pem", "ca.key.pem", "crl.pem", "index.txt"));
  EXPECT_EQ(mode_of(ca_), 0700U);
  EXPECT_EQ(mode_of(ca_ / "ca.key.pem"), 0600U);
  EXPECT_EQ(mode_of(ca_ / "ca.crt.pem"), 0644U);
}

TEST_F(AuthorityTest, ModesDoNotDependOnTheUmask) {
  for (const mode_t mask : {mode_t{0}, mode_t{0777}}) {
    ::umask(mask);
    const std::string suffix = std::to_string(mask);
    Authority other = Authority::create(scratch_ / ("ca" + suffix));
    const fs::path out = scratch_ / ("out" + suffix);
    other.issue(leaf(Role::client, "node-a"), out);
    EXPECT_EQ(mode_of(other.directory()), 0700U);
    EXPECT_EQ(mode_of(other.directory() / "ca.key.pem"), 0600U);
    EXPECT_EQ(mode_of(out), 0700U);
    EXPECT_EQ(mode_of(out / "restpipe.client.key.pem"), 0600U);
    EXPECT_EQ(mode_of(out / "restpipe.client.crt.pem"), 0644U);
  }
}

TEST_F(AuthorityTest, IsAProperAuthorityForTenYears) {
  const CertificateFacts facts = facts_of(ca_ / "ca.crt.pem");
  EXPECT_TRUE(facts.authority);
  EXPECT_EQ(facts.key_type, "EC P-256");
  EXPECT_EQ(facts.subject, "CN=RestPipe CA");
  EXPECT_LT(facts.not_before, system_clock::now());
  EXPECT_GT(facts.not_after, system_clock::now() + hours(24 * 3649));
}

TEST_F(AuthorityTest, IsNotMadeOverAnother) {
  const std::string key = read_text(ca_ / "ca.key.pem");
  EXPECT_EQ(kind_of_failure([&] { Authority::create(ca_); }), ErrorKind::exists);
  EXPECT_EQ(read_text(ca_ / "ca.key.pem"), key);
}

TEST_F(AuthorityTest, RefusesASenselessNameOrLifetime) {
  const auto create = [&](AuthorityOptions options) {
    return kind_of_failure([&] { Authority::create(scratch_ / "new", options); });
  };
  EXPECT_EQ(create({"", 1}), ErrorKind::bad_argument);
  EXPECT_EQ(create({"a\nb", 1}), ErrorKind::bad_argument);
  EXPECT_EQ(create({std::string(65, 'x'), 1}), ErrorKind::bad_argument);
  EXPECT_EQ(create({"x", 0}), ErrorKind::bad_argument);
  EXPECT_EQ(create({"x", kAuthorityDaysMax + 1}), ErrorKind::bad_argument);
  EXPECT_FALSE(fs::exists(scratch_ / "new"));
}

TEST_F(AuthorityTest, ServerCertificatesNameTheServerAndTheLoopback) {
  LeafOptions options = leaf(Role::server, "pipe.example");
  options.extra_names = {"DNS:other.example", "192.0.2.7", "localhost"};
  authority_.issue(options, scratch_ / "out");
  const CertificateFacts facts = facts_of(scratch_ / "out/restpipe.server.crt.pem");
  EXPECT_THAT(facts.dns_names, ElementsAre("pipe.example", "localhost", "other.example"));
  EXPECT_THAT(facts.ip_addresses, ElementsAre("127.0.0.1", "::1", "192.0.2.7"));
  EXPECT_TRUE(facts.server_auth);
  EXPECT_FALSE(facts.client_auth);
  EXPECT_FALSE(facts.authority);
  EXPECT_EQ(facts.key_type, "EC P-256");
}

TEST_F(AuthorityTest, AServerNamedByItsAddressCanBeDialledByIt) {
  authority_.issue(leaf(Role::server, "192.0.2.9"), scratch_ / "out");
  const fs::path file = scratch_ / "out/restpipe.server.crt.pem";
  const auto certificate = certificates_from_pem(read_file(file), file);
  EXPECT_TRUE(server_identity(certificate.front().get(), "192.0.2.9"));
}

TEST_F(AuthorityTest, ClientCertificatesHaveOneName) {
  authority_.issue(leaf(Role::client, "node-a"), scratch_ / "out");
  const CertificateFacts facts = facts_of(scratch_ / "out/restpipe.client.crt.pem");
  EXPECT_THAT(facts.dns_names, ElementsAre("node-a"));
  EXPECT_THAT(facts.ip_addresses, IsEmpty());
  EXPECT_TRUE(facts.client_auth);
  EXPECT_FALSE(facts.server_auth);
  LeafOptions options = leaf(Role::client, "node-b");
  options.extra_names = {"x"};
  EXPECT_EQ(kind_of_failure([&] { authority_.issue(options, scratch_ / "b"); }),
            ErrorKind::bad_argument);
}

TEST_F(AuthorityTest, LeavesHaveSaneLifetimes) {
  const auto now = system_clock::now();
  const Issued issued = authority_.issue(leaf(Role::client, "node-a"), scratch_ / "out");
  EXPECT_GT(issued.expires_at, now + hours(24 * 396));
  EXPECT_LT(issued.expires_at, now + hours(24 * 398));
  EXPECT_LT(facts_of(scratch_ / "out/restpipe.client.crt.pem").not_before, now);
  for (const int days : {0, -1, 399}) {
    LeafOptions options = leaf(Role::client, "node-b");
    options.days = days;
    EXPECT_EQ(kind_of_failure([&] { authority_.issue(options, scratch_ / "b"); }),
              ErrorKind::bad_argument);
  }
}

TEST_F(AuthorityTest, NoLeafOutlivesItsAuthority) {
  Authority brief = Authority::create(scratch_ / "brief", {"brief", 2});
  const Issued issued = brief.issue(leaf(Role::client, "node-a"), scratch_ / "out");
  EXPECT_EQ(issued.expires_at, facts_of(brief.certificate_path()).not_after);
}

TEST_F(AuthorityTest, RefusesNamesThatAreNone) {
  for (const char* name : {"", "*", "*.example", "a b", "a/b", "..", "a,DNS:b"})
    EXPECT_EQ(
        kind_of_failure([&] { authority_.issue(leaf(Role::client, name), scratch_ / "out"); }),
        ErrorKind::bad_argument)
        << name;
  EXPECT_FALSE(fs::exists(scratch_ / "out"));
  EXPECT_THAT(authority_.issued(), IsEmpty());
}

TEST_F(AuthorityTest, SerialNumbersAreLongAndNeverTheSame) {
  std::set<std::string> serials;
  for (int i = 0; i < 20; ++i) {
    const std::string serial =
        authority_.issue(leaf(Role::client, "node-a"), scratch_ / "out").serial;
    EXPECT_GE(serial.size(), 32U);  // 128 bits
    serials.insert(serial);
  }
  EXPECT_THAT(serials, SizeIs(20));
}

TEST_F(AuthorityTest, RenewsInPlace) {
  authority_.issue(leaf(Role::client, "node-a"), scratch_ / "out");
  const std::string before = read_text(scratch_ / "out/restpipe.client.key.pem");
  authority_.issue(leaf(Role::client, "node-a"), scratch_ / "out");
  EXPECT_NE(read_text(scratch_ / "out/restpipe.client.key.pem"), before);
  EXPECT_EQ(Identity::load(identity_files(scratch_ / "out", Role::client), Role::client).name(),
            "node-a");
}

TEST_F(AuthorityTest, FailureToWriteLeavesTheOldIdentityWhole) {
  authority_.issue(leaf(Role::client, "node-a"), scratch_ / "out");
  const std::string key = read_text(scratch_ / "out/restpipe.client.key.pem");
  fs::remove(scratch_ / "out/ca.crt.pem");
  ASSERT_EQ(::mkdir((scratch_ / "out/ca.crt.pem").c_str(), 0700), 0);
  EXPECT_EQ(
      kind_of_failure([&] { authority_.issue(leaf(Role::client, "node-a"), scratch_ / "out"); }),
      ErrorKind::write_failed);
  EXPECT_EQ(read_text(scratch_ / "out/restpipe.client.key.pem"), key);
}

TEST_F(AuthorityTest, OpensWhatItMadeAndRefusesALooseKey) {
  EXPECT_EQ(Authority::open(ca_).directory(), ca_);
  ASSERT_EQ(::chmod((ca_ / "ca.key.pem").c_str(), 0644), 0);
  EXPECT_EQ(kind_of_failure([&] { Authority::open(ca_); }), ErrorKind::loose_permissions);
  EXPECT_EQ(kind_of_failure([&] { Authority::open(scratch_ / "none"); }), ErrorKind::missing);
}

TEST_F(AuthorityTest, RefusesAKeyOfAnotherAuthority) {
  Authority::create(scratch_ / "other");
  fs::copy_file(scratch_ / "other/ca.key.pem", ca_ / "ca.key.pem",
                fs::copy_options::overwrite_existing);
  EXPECT_EQ(kind_of_failure([&] { Authority::open(ca_); }), ErrorKind::mismatch);
}

TEST_F(AuthorityTest, RevokesByNameBySerialAndByFile) {
  authority_.issue(leaf(Role::client, "node-a"), scratch_ / "a1");
  authority_.issue(leaf(Role::client, "node-a"), scratch_ / "a2");
  const Issued b = authority_.issue(leaf(Role::client, "node-b"), scratch_ / "b");
  authority_.issue(leaf(Role::client, "node-c"), scratch_ / "c");
  authority_.issue(leaf(Role::client, "node-d"), scratch_ / "d");

  EXPECT_THAT(authority_.revoke("node-a"), SizeIs(2));
  std::string with_colons = b.serial.substr(0, 2) + ":" + b.serial.substr(2);
  std::transform(with_colons.begin(), with_colons.end(), with_colons.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  EXPECT_THAT(authority_.revoke(with_colons), SizeIs(1));
  EXPECT_THAT(authority_.revoke((scratch_ / "c/restpipe.client.crt.pem").string()), SizeIs(1));

  std::vector<std::string> revoked;
  for (const Issued& entry : Authority::open(ca_).issued())
    if (entry.revoked_at) revoked.push_back(entry.name);
  EXPECT_THAT(revoked, ElementsAre("node-a", "node-a", "node-b", "node-c"));
}

TEST_F(AuthorityTest, RevokingTwiceIsRevokingOnce) {
  authority_.issue(leaf(Role::client, "node-a"), scratch_ / "a");
  const auto first = authority_.revoke("node-a").front().revoked_at;
  EXPECT_EQ(authority_.revoke("node-a").front().revoked_at, first);
}

TEST_F(AuthorityTest, CannotRevokeWhatItDidNotIssue) {
  EXPECT_EQ(kind_of_failure([&] { authority_.revoke("nobody"); }), ErrorKind::missing);
  Authority other = Authority::create(scratch_ / "other");
  other.issue(leaf(Role::client, "node-x"), scratch_ / "x");
  EXPECT_EQ(kind_of_failure(
                [&] { authority_.revoke((scratch_ / "x/restpipe.client.crt.pem").string()); }),
            ErrorKind::untrusted);
}

TEST_F(AuthorityTest, ADamagedRecordIsNamedByItsLine) {
  authority_.issue(leaf(Role::client, "node-a"), scratch_ / "a");
  write_text(ca_ / "index.txt", read_text(ca_ / "index.txt") + "nonsense\n");
  try {
    authority_.issue(leaf(Role::client, "node-b"), scratch_ / "b");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::malformed);
    EXPECT_THAT(error.what(), HasSubstr("line 2"));
  }
}

/// So many certificates, with serial numbers of the usual length.
std::vector<Issued> many_issued(std::size_t count, std::optional<WallTime> revoked_at) {
  const auto next_year = WallTime::clock::now() + std::chrono::hours(24 * 365);
  std::vector<Issued> entries;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(1'000'000 + i);
    entries.push_back({"node-" + number, "7F00000000000000000000000000" + number + "000",
                       std::chrono::time_point_cast<std::chrono::seconds>(next_year), revoked_at});
  }
  return entries;
}

TEST_F(AuthorityTest, IssuesTensOfThousands) {
  write_text(ca_ / "index.txt", issue_log::text(many_issued(50'000, {})));
  ASSERT_GT(fs::file_size(ca_ / "index.txt"), kIdentityFileBytesMax);
  authority_.issue(leaf(Role::client, "node-a"), scratch_ / "a");
  EXPECT_THAT(authority_.issued(), SizeIs(50'001));
}

TEST_F(AuthorityTest, WritesNoRevocationListThatNobodyReads) {
  authority_.issue(leaf(Role::client, "node-a"), scratch_ / "a");
  auto log = authority_.issued();
  for (Issued& entry : many_issued(50'000, WallTime::clock::now())) log.push_back(entry);
  write_text(ca_ / "index.txt", issue_log::text(log));
  const std::string list = read_text(ca_ / "crl.pem");
  EXPECT_EQ(kind_of_failure([&] { authority_.revoke("node-a"); }), ErrorKind::write_failed);
  EXPECT_EQ(read_text(ca_ / "crl.pem"), list);
  EXPECT_FALSE(authority_.issued().front().revoked_at);
}

TEST(IssueLogTest, KeepsWhatItWrites) {
  const Scratch scratch;
  const auto second = [](long seconds) { return WallTime(std::chrono::seconds(seconds)); };
  const std::vector<Issued> entries{{"node-a", "00FF", second(1'800'000'000), {}},
                                    {"far", "01", second(4'000'000'000), second(1'700'000'000)}};
  write_text(scratch / "index.txt", issue_log::text(entries));
  const auto read = issue_log::read(scratch / "index.txt");
  ASSERT_THAT(read, SizeIs(2));
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read[i].name, entries[i].name);
    EXPECT_EQ(read[i].serial, entries[i].serial);
    EXPECT_EQ(read[i].expires_at, entries[i].expires_at);
    EXPECT_EQ(read[i].revoked_at, entries[i].revoked_at);
  }
}

// What OpenSSL's own program, at its strictest, says of our certificates.
class OpenSslTest : public AuthorityTest {
 protected:
  Outcome verify(const std::string& purpose, const fs::path& certificate,
                 const std::vector<std::string>& more = {}) {
    std::vector<std::string> command{"openssl",
                                     "verify",
                                     "-x509_strict",
                                     "-auth_level",
                                     "2",
                                     "-CAfile",
                                     (ca_ / "ca.crt.pem").string(),
                                     "-purpose",
                                     purpose};
    command.insert(command.end(), more.begin(), more.end());
    command.push_back(certificate.string());
    return run_program(command);
  }
};

TEST_F(OpenSslTest, VerifiesOurCertificatesStrictly) {
  authority_.issue(leaf(Role::server, "pipe.example"), scratch_ / "server");
  authority_.issue(leaf(Role::client, "node-a"), scratch_ / "client");
  const fs::path server = scratch_ / "server/restpipe.server.crt.pem";
  const fs::path client = scratch_ / "client/restpipe.client.crt.pem";
  EXPECT_EQ(verify("sslserver", server).exit_code, 0) << verify("sslserver", server).err;
  EXPECT_EQ(verify("sslserver", server, {"-verify_hostname", "pipe.example"}).exit_code, 0);
  EXPECT_EQ(verify("sslclient", client).exit_code, 0);
  EXPECT_NE(verify("sslclient", server).exit_code, 0);
  EXPECT_NE(verify("sslserver", client).exit_code, 0);
}

TEST_F(OpenSslTest, AppliesOurRevocationList) {
  authority_.issue(leaf(Role::client, "node-a"), scratch_ / "a");
  authority_.issue(leaf(Role::client, "node-b"), scratch_ / "b");
  authority_.revoke("node-a");
  const std::vector<std::string> with_crl{"-crl_check_all", "-CRLfile", (ca_ / "crl.pem").string()};
  const Outcome revoked = verify("sslclient", scratch_ / "a/restpipe.client.crt.pem", with_crl);
  EXPECT_NE(revoked.exit_code, 0);
  EXPECT_THAT(revoked.err, HasSubstr("certificate revoked"));
  EXPECT_EQ(verify("sslclient", scratch_ / "b/restpipe.client.crt.pem", with_crl).exit_code, 0);
}

TEST_F(OpenSslTest, NumbersOurRevocationLists) {
  const auto number = [&] {
    return run_program(
               {"openssl", "crl", "-noout", "-crlnumber", "-in", (ca_ / "crl.pem").string()})
        .out;
  };
  authority_.issue(leaf(Role::client, "node-a"), scratch_ / "a");
  EXPECT_THAT(number(), HasSubstr("=0x01"));
  authority_.revoke("node-a");
  EXPECT_THAT(number(), HasSubstr("=0x02"));
}

}  // namespace
}  // namespace rp::certs::testing
