#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "certs/files.h"
#include "certs/peer.h"
#include "certs/pem.h"
#include "tests/certs/test_pki.h"

namespace rp::certs::testing {
namespace {

using ::testing::HasSubstr;

struct SslFree {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};
using Context = std::unique_ptr<SSL_CTX, SslFree>;
using Ssl = std::unique_ptr<SSL, SslFree>;

/// One end of a TLS 1.3 handshake that presents the files of an identity, good or not.
Context presenting(const IdentityFiles& files) {
  Context context(SSL_CTX_new(TLS_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_security_level(context.get(), 0);  // or OpenSSL itself keeps back the weak ones
  EXPECT_EQ(SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()), 1);
  EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM), 1);
  return context;
}

void trust(SSL_CTX* context, const Identity& identity, StaleCrl stale) {
  SSL_CTX_set_security_level(context, 2);
  SSL_CTX_set1_verify_cert_store(context, make_trust_store(identity, stale).get());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

/// What one side made of the other's certificate after a handshake in memory.
struct Verdict {
  bool let_in = false;
  std::string reason;
};

Verdict handshake(SSL_CTX* server_context, SSL_CTX* client_context, Role judge) {
  const Ssl server(SSL_new(server_context));
  const Ssl client(SSL_new(client_context));
  BIO* left = nullptr;
  BIO* right = nullptr;
  constexpr std::size_t kBufferBytes = 1024 * 1024;  // room for the largest hostile certificate
  BIO_new_bio_pair(&left, kBufferBytes, &right, kBufferBytes);
  SSL_set_bio(server.get(), left, left);
  SSL_set_bio(client.get(), right, right);
  SSL_set_accept_state(server.get());
  SSL_set_connect_state(client.get());
  bool server_done = false;
  for (int round = 0; round < 20; ++round) {
    SSL_do_handshake(client.get());
    server_done = SSL_do_handshake(server.get()) == 1;
  }
  ERR_clear_error();
  SSL* const judging = judge == Role::server ? server.get() : client.get();
  const long result = SSL_get_verify_result(judging);
  const bool done = server_done && SSL_is_init_finished(client.get()) == 1;
  if (!done || result != X509_V_OK) return {false, X509_verify_cert_error_string(result)};
  X509* const peer = SSL_get0_peer_certificate(judging);
  const PeerIdentity who =
      judge == Role::server ? peer_identity(peer) : server_identity(peer, "localhost");
  return {static_cast<bool>(who), who.refused};
}

class TrustTest : public ::testing::Test {
 protected:
  /// A good node of the one role judges a peer of the other role, of that kind.
  Verdict judge(Role peer, Kind kind, StaleCrl stale = StaleCrl::refuse) {
    const Role self = peer == Role::server ? Role::client : Role::server;
    const Identity identity = Identity::load(pki_.files(self), self);
    const Context judging = presenting(pki_.files(self));
    trust(judging.get(), identity, stale);
    const Context judged = presenting(pki_.files(peer, kind));
    return self == Role::server ? handshake(judging.get(), judged.get(), self)
                                : handshake(judged.get(), judging.get(), self);
  }

  TestPki pki_;
};

TEST_F(TrustTest, LetsTheGoodOneIn) {
  for (const Role peer : {Role::server, Role::client})
    EXPECT_TRUE(judge(peer, Kind::good).let_in) << judge(peer, Kind::good).reason;
}

TEST_F(TrustTest, RefusesEveryHostileKindFromEitherSide) {  // parity rows 52 and 62
  for (const Role self : {Role::server, Role::client})
    TestPki::install_crl(pki_.crl(), pki_.identity(self));
  for (const Role peer : {Role::server, Role::client})
    for (const Kind kind : kRefusedKinds) {
      const Verdict verdict = judge(peer, kind);
      EXPECT_FALSE(verdict.let_in) << name(peer) << ' ' << to_string(kind);
      EXPECT_NE(verdict.reason, "") << to_string(kind);
    }
  EXPECT_FALSE(judge(Role::server, Kind::wrongname).let_in);
}

TEST_F(TrustTest, RefusesAPeerWithoutACertificate) {  // parity row 51
  const Identity identity = Identity::load(pki_.files(Role::server), Role::server);
  const Context server = presenting(pki_.files(Role::server));
  trust(server.get(), identity, StaleCrl::refuse);
  const Context nobody(SSL_CTX_new(TLS_client_method()));
  EXPECT_FALSE(handshake(server.get(), nobody.get(), Role::server).let_in);
}

TEST_F(TrustTest, ARevokedPeerIsRefusedOnlyWhereTheListIsKnown) {
  EXPECT_TRUE(judge(Role::client, Kind::revoked).let_in);
  TestPki::install_crl(pki_.crl(), pki_.server());
  EXPECT_EQ(judge(Role::client, Kind::revoked).reason, "certificate revoked");
  EXPECT_TRUE(judge(Role::client, Kind::good).let_in);
}

TEST_F(TrustTest, AStaleListRefusesEverybodyOrGoesOnRevoking) {
  TestPki::install_crl(pki_.stale_crl(), pki_.server());
  EXPECT_EQ(judge(Role::client, Kind::good, StaleCrl::refuse).reason, "CRL has expired");
  EXPECT_TRUE(judge(Role::client, Kind::good, StaleCrl::accept).let_in);
  EXPECT_EQ(judge(Role::client, Kind::revoked, StaleCrl::accept).reason, "certificate revoked");
}

TEST_F(TrustTest, FindsARevokedCertificateAmongPipesThatAreUp) {
  const auto leaf = [&](Kind kind) {
    const auto file = pki_.files(Role::client, kind).certificate;
    return std::move(certificates_from_pem(read_file(file), file).front());
  };
  const CertificateHandle revoked = leaf(Kind::revoked);
  const CertificateHandle good = leaf(Kind::good);
  const CertificateHandle foreign = leaf(Kind::otherca);
  const Identity before = Identity::load(pki_.files(Role::server), Role::server);
  EXPECT_FALSE(is_revoked(before, revoked.get()));
  TestPki::install_crl(pki_.crl(), pki_.server());
  const Identity after = Identity::load(pki_.files(Role::server), Role::server);
  EXPECT_TRUE(is_revoked(after, revoked.get()));
  EXPECT_FALSE(is_revoked(after, good.get()));
  EXPECT_FALSE(is_revoked(after, foreign.get()));
}

}  // namespace
}  // namespace rp::certs::testing
