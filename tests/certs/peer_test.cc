#include "certs/peer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "certs/authority.h"
#include "certs/files.h"
#include "certs/pem.h"
#include "tests/certs/test_pki.h"

namespace rp::certs::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PeerIdentityTest : public ::testing::Test {
 protected:
  static CertificateHandle leaf(const std::filesystem::path& file) {
    return std::move(certificates_from_pem(read_file(file), file).front());
  }
  CertificateHandle leaf(Role role, Kind kind) { return leaf(pki_.files(role, kind).certificate); }

  TestPki pki_;
};

TEST_F(PeerIdentityTest, IsTheFirstDnsName) {
  EXPECT_EQ(peer_identity(leaf(Role::client, Kind::good).get()).name, "node-a");
  EXPECT_EQ(peer_identity(leaf(Role::server, Kind::good).get()).name, "localhost");
  EXPECT_EQ(peer_identity(leaf(Role::client, Kind::wrongname).get()).name, "elsewhere.example");
}

TEST_F(PeerIdentityTest, IsNeverTheCommonName) {
  const PeerIdentity peer = peer_identity(leaf(Role::client, Kind::cnonly).get());
  EXPECT_FALSE(peer);
  EXPECT_EQ(peer.name, "");
  EXPECT_EQ(peer.refused, "the certificate has no subjectAltName");
}

TEST_F(PeerIdentityTest, RefusesWildcardsAndEmbeddedNul) {
  for (const Role role : {Role::server, Role::client})
    for (const Kind kind : {Kind::wildcard, Kind::nulname}) {
      const PeerIdentity peer = peer_identity(leaf(role, kind).get());
      EXPECT_FALSE(peer) << to_string(kind);
      EXPECT_THAT(peer.refused, Not(HasSubstr("evil")));
    }
}

TEST_F(PeerIdentityTest, RefusesACertificateOfHundredKilobytes) {
  const PeerIdentity peer = peer_identity(leaf(Role::client, Kind::big).get());
  EXPECT_FALSE(peer);
  EXPECT_THAT(peer.refused, HasSubstr("at most 16384"));
}

TEST_F(PeerIdentityTest, CountsNames) {
  for (const int count : {kPeerNamesMax, kPeerNamesMax + 1}) {
    std::string san = "DNS:n0";
    for (int i = 1; i < count; ++i) san += ",IP:192.0.2." + std::to_string(i);
    const PeerIdentity peer = peer_identity(pki_.client_with_san(san).get());
    EXPECT_EQ(static_cast<bool>(peer), count == kPeerNamesMax) << count;
  }
}

TEST_F(PeerIdentityTest, RefusesABadNameWhereverItStands) {
  EXPECT_FALSE(peer_identity(pki_.client_with_san("DNS:node-a,DNS:*.example").get()));
  EXPECT_FALSE(peer_identity(pki_.client_with_san("DNS:node a").get()));
  EXPECT_FALSE(peer_identity(pki_.client_with_san("DNS:" + std::string(254, 'a')).get()));
}

TEST_F(PeerIdentityTest, NeedsADnsNameAmongOtherKinds) {
  EXPECT_FALSE(peer_identity(pki_.client_with_san("IP:192.0.2.1").get()));
  EXPECT_FALSE(peer_identity(pki_.client_with_san("email:a@example.org").get()));
  EXPECT_EQ(peer_identity(pki_.client_with_san("URI:urn:x,IP:192.0.2.1,DNS:late").get()).name,
            "late");
}

TEST_F(PeerIdentityTest, RefusesNoCertificateAtAll) { EXPECT_FALSE(peer_identity(nullptr)); }

TEST_F(PeerIdentityTest, AServerMustCarryTheNameOrAddressThatWasDialled) {
  const CertificateHandle server = leaf(Role::server, Kind::good);
  for (const char* host : {"localhost", "LOCALHOST", "127.0.0.1", "::1"})
    EXPECT_TRUE(server_identity(server.get(), host)) << host;
  for (const char* host : {"elsewhere.example", "127.0.0.2", "::2", "local", "", "*"})
    EXPECT_FALSE(server_identity(server.get(), host)) << host;
}

TEST_F(PeerIdentityTest, AServersWildcardMatchesNothing) {  // parity row 62
  const CertificateHandle server = leaf(Role::server, Kind::wildcard);
  EXPECT_FALSE(server_identity(server.get(), "a.example"));
  EXPECT_FALSE(server_identity(leaf(Role::server, Kind::cnonly).get(), "localhost"));
  EXPECT_FALSE(server_identity(leaf(Role::server, Kind::nulname).get(), "localhost"));
  EXPECT_FALSE(server_identity(leaf(Role::server, Kind::wrongname).get(), "localhost"));
}

}  // namespace
}  // namespace rp::certs::testing
