#include <atomic>
#include <stop_token>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/certs/test_pki.h"
#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"
#include "tests/product/harness/wire_peer.h"

/// Who gets onto the pipe and who does not: rows 51, 52, 62, 63 and the hostile certificates.
namespace rp::product {
namespace {

using certs::testing::Kind;

/// `openssl s_client` to the port with `arguments`; stdin stays open until the server closes.
Finished s_client(std::uint16_t port, std::vector<std::string> arguments) {
  std::vector<std::string> argv = {"openssl",
                                   "s_client",
                                   "-ign_eof",
                                   "-alpn",
                                   "restpipe/1",
                                   "-connect",
                                   "127.0.0.1:" + std::to_string(port)};
  argv.insert(argv.end(), std::make_move_iterator(arguments.begin()),
              std::make_move_iterator(arguments.end()));
  return run({.argv = std::move(argv)}, 15s);
}

TEST_F(ParityTest, Row51_WithoutACertificateTheServerSendsAnAlert) {
  server_ = make_server();
  const auto result = s_client(server_->pipe_port(), {});
  EXPECT_NE(result.exit_code, -1) << "the connection stayed open";
  EXPECT_TRUE(contains(result.err, "certificate required")) << result.err;
  EXPECT_TRUE(server_forgets("alpha", 0s));
}

TEST_F(ParityTest, Row52_ACertificateOfAnotherCaIsRefused) {
  server_ = make_server();
  Authority other;
  const auto stranger = other.client();
  const auto result =
      s_client(server_->pipe_port(), {"-cert", (stranger / "restpipe.client.crt.pem").string(),
                                      "-key", (stranger / "restpipe.client.key.pem").string()});
  EXPECT_NE(result.exit_code, -1) << "the connection stayed open";
  EXPECT_TRUE(contains(result.err, "alert")) << result.err;
  EXPECT_TRUE(server_forgets("alpha", 0s));
}

TEST_F(ParityTest, Row63_OldTlsVersionsAreRefused) {
  server_ = make_server();
  const auto good = authority_.client();
  for (const char* version : {"-tls1", "-tls1_1", "-tls1_2"}) {
    SCOPED_TRACE(version);
    const auto result =
        s_client(server_->pipe_port(), {version, "-cipher", "DEFAULT@SECLEVEL=0", "-cert",
                                        (good / "restpipe.client.crt.pem").string(), "-key",
                                        (good / "restpipe.client.key.pem").string()});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_TRUE(contains(result.err, "alert protocol version")) << result.err;
  }
}

TEST_F(LabTest, EveryHostileClientIsRefusedInTls) {
  certs::testing::TestPki pki;
  const auto identity = pki.server();
  certs::testing::TestPki::install_crl(pki.crl(), identity);
  server_ = make_server({.identity = identity});
  for (const auto kind : certs::testing::kRefusedKinds) {
    SCOPED_TRACE(certs::testing::to_string(kind));
    const auto files = pki.files(certs::Role::client, kind);
    auto stream =
        TlsStream::dial(connect_to(server_->pipe_port()).value(), {files.certificate, files.key});
    if (!stream) continue;
    // In TLS 1.3 the client may think it is in before the server has judged it.
    WirePeer peer(std::move(stream));
    EXPECT_FALSE(peer.exchange_hello());
    EXPECT_TRUE(peer.closes());
    EXPECT_EQ(peer.stream().bytes_received(), 0u);
    EXPECT_TRUE(server_forgets("node-a", 0s));
  }
  // The same server takes the good one.
  const auto files = pki.files(certs::Role::client, Kind::good);
  WirePeer good(
      TlsStream::dial(connect_to(server_->pipe_port()).value(), {files.certificate, files.key}));
  EXPECT_TRUE(good.exchange_hello());
  EXPECT_TRUE(server_knows("node-a"));
}

/// Whether a client node gives anything away to a server of this kind.
void expect_no_payload_for(Kind kind, certs::testing::TestPki& pki) {
  SCOPED_TRACE(certs::testing::to_string(kind));
  const auto files = pki.files(certs::Role::server, kind);
  const auto listener = listen_on_loopback();
  const Node client(Role::client, {.identity = pki.client(), .pipe_port = port_of(listener)});
  auto accepted = accept_from(listener);
  ASSERT_TRUE(accepted);
  if (auto stream = TlsStream::answer(std::move(*accepted), {files.certificate, files.key})) {
    EXPECT_TRUE(stream->closes());
    EXPECT_EQ(stream->bytes_received(), 0u);
  }
  EXPECT_EQ(status_of(client.rest_port(), "/readyz"), 503);
}

TEST_F(ParityTest, Row62_AFalseServerGetsNoByte) {
  certs::testing::TestPki pki;
  certs::testing::TestPki::install_crl(pki.crl(), pki.client());
  for (const auto kind : certs::testing::kRefusedKinds) expect_no_payload_for(kind, pki);
  expect_no_payload_for(Kind::wrongname, pki);

  // The same client uses the good one.
  server_ = make_server({.identity = pki.server()});
  client_ = make_client({.identity = pki.client()});
  EXPECT_TRUE(client_->ready());
}

void replace_identity(const std::filesystem::path& with, const std::filesystem::path& in) {
  for (const auto& file : std::filesystem::directory_iterator(with)) {
    const auto beside = in / ("new." + file.path().filename().string());
    std::filesystem::copy_file(file.path(), beside);
    std::filesystem::rename(beside, in / file.path().filename());
  }
}

/// Calls the server through a client node, one request after the other, until it is stopped.
class SteadyLoad {
 public:
  explicit SteadyLoad(std::uint16_t rest_port)
      : thread_([this, rest_port](const std::stop_token& stop) {
          const std::string request =
              "GET /server/time HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
          while (!stop.stop_requested()) {
            ++calls_;
            if (!raw_http(rest_port, request).starts_with("HTTP/1.1 200")) ++failures_;
          }
        }) {}

  void stop() {
    thread_.request_stop();
    thread_.join();
  }
  int calls() const { return calls_; }
  int failures() const { return failures_; }

 private:
  std::atomic<int> calls_ = 0;
  std::atomic<int> failures_ = 0;
  std::jthread thread_;
};

std::string serial_of(const std::filesystem::path& certificate) {
  return run({.argv = {"openssl", "x509", "-noout", "-serial", "-in", certificate.string()}}).out;
}

TEST_F(LabTest, CertificatesRotateUnderLoadWithoutLosingAPipe) {
  start_pair();
  SteadyLoad load(client_->rest_port());
  for (int round = 0; round < 3; ++round) {
    const auto fresh = authority_.scratch("fresh-" + std::to_string(round));
    const auto issued = restpipe(
        {"identity", "server", "hub", "--ca", authority_.ca().string(), "--out", fresh.string()});
    ASSERT_EQ(issued.exit_code, 0) << issued.err;
    replace_identity(fresh, authority_.server());
    server_->process().signal(SIGHUP);
    const auto seen = authority_.scratch("seen");
    const auto shown = [&] {
      write_text(seen, s_client(server_->pipe_port(), {}).out);
      return serial_of(seen) == serial_of(fresh / "restpipe.server.crt.pem");
    };
    EXPECT_TRUE(eventually(shown)) << "round " << round;
  }
  load.stop();
  EXPECT_GT(load.calls(), 10);
  EXPECT_EQ(load.failures(), 0) << "of " << load.calls();
  const auto metrics = curl({C("/metrics")}).body;
  EXPECT_TRUE(contains(metrics, "restpipe_connects_total 1\n")) << metrics;
}

TEST_F(LabTest, ARevokedClientIsCutAndStaysOut) {
  start_pair();
  const auto other = make_client({.identity = authority_.client("beta")});
  ASSERT_TRUE(other->ready());
  ASSERT_EQ(restpipe({"identity", "revoke", "alpha", "--ca", authority_.ca().string()}).exit_code,
            0);
  // Nobody tells the server: it sees the new file by itself.
  std::filesystem::copy_file(authority_.ca() / "crl.pem", authority_.server() / "crl.pem");
  EXPECT_TRUE(client_->unready());
  EXPECT_TRUE(server_forgets("alpha"));
  EXPECT_TRUE(holds_for(2s, [&] { return status_of(client_->rest_port(), "/readyz") == 503; }));
  expect_time(curl({S("/client/beta/time")}), "time_from_client");
}

}  // namespace
}  // namespace rp::product
