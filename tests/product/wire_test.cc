#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "pipe/core/head.h"
#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"
#include "tests/product/harness/wire_peer.h"

/// A server and a client as the other end of the wire sees them: rows 53 to 61.
namespace rp::product {
namespace {

using pipe::FrameType;

class WireParityTest : public LabTest {
 protected:
  TlsSetup identity(const std::string& name) {
    const auto directory = authority_.client(name);
    return {directory / "restpipe.client.crt.pem", directory / "restpipe.client.key.pem"};
  }

  /// A TLS connection of client `name` to the server; nothing is sent on it yet.
  std::unique_ptr<TlsStream> dial(const std::string& name = "by-hand") {
    return TlsStream::dial(connect_to(server_->pipe_port()).value(), identity(name));
  }

  /// Starts the client node against `listener` and plays its server, HELLOs exchanged. Null when
  /// the client does not come.
  std::unique_ptr<WirePeer> answer_client(const Socket& listener, std::vector<std::string> flags) {
    const auto identity = authority_.server();
    client_ = make_client({.flags = std::move(flags), .pipe_port = port_of(listener)});
    auto accepted = accept_from(listener);
    if (!accepted) return nullptr;
    auto stream = TlsStream::answer(std::move(*accepted), {identity / "restpipe.server.crt.pem",
                                                           identity / "restpipe.server.key.pem"});
    if (!stream) return nullptr;
    auto server = std::make_unique<WirePeer>(std::move(stream));
    if (!server->answer_hello() || !client_->ready()) return nullptr;
    return server;
  }

  /// A pipe to the server node with HELLOs exchanged.
  std::unique_ptr<WirePeer> connect(const std::string& name = "by-hand") {
    auto peer = std::make_unique<WirePeer>(dial(name));
    if (!peer->exchange_hello()) throw std::runtime_error("no HELLO from the server");
    return peer;
  }
};

/// The first use of a slot (docs/wire.md, "Calls").
constexpr pipe::CallId call_id(std::uint16_t slot) { return 1u << 16 | slot; }

void expect_time_reply(const std::optional<WireFrame>& frame, pipe::CallId id) {
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->type(), FrameType::reply);
  EXPECT_EQ(frame->header.call, id);
  const auto reply = pipe::decode_reply(frame->head());
  ASSERT_TRUE(reply);
  EXPECT_FALSE(reply->failed) << reply->error.detail;
  EXPECT_EQ(reply->head.code, 0u);
  EXPECT_EQ(reply->head.content_type, "application/json");
  EXPECT_TRUE(frame->body().starts_with("{\"time_from_server\": ")) << frame->body();
}

TEST_F(WireParityTest, Row53_WithTheRightCertificateTheServerWaitsForOurHello) {
  server_ = make_server();
  const auto stream = dial();
  ASSERT_TRUE(stream);
  std::string bytes;
  EXPECT_FALSE(stream->receive(bytes, TestClock::now() + 1s));
  EXPECT_EQ(bytes.size(), 0u);
  EXPECT_FALSE(stream->closes(500ms));
}

TEST_F(WireParityTest, Row54_HelloIsAnsweredAndPingGetsItsPong) {
  server_ = make_server();
  WirePeer peer(dial());
  const auto hello = peer.exchange_hello();
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->node, "hub");
  EXPECT_EQ(hello->version_max, pipe::kWireVersion);
  EXPECT_TRUE(server_knows("by-hand"));

  ASSERT_TRUE(peer.send(pipe::encode_ping(FrameType::ping, "8 bytes!")));
  const auto pong = peer.next_of(FrameType::pong);
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->payload, "8 bytes!");
  EXPECT_EQ(pong->header.call, 0u);
}

TEST_F(WireParityTest, Row55_ACallIsAnsweredUnderItsId) {
  server_ = make_server();
  const auto peer = connect();
  ASSERT_TRUE(peer->send(call_frame(call_id(7), "get", "time")));
  expect_time_reply(peer->next_of(FrameType::reply), call_id(7));
}

TEST_F(WireParityTest, Row56_TwoCallsInOneRecordAreBothAnswered) {
  server_ = make_server();
  const auto peer = connect();
  ASSERT_TRUE(
      peer->send(call_frame(call_id(1), "get", "time") + call_frame(call_id(2), "get", "time")));
  expect_time_reply(peer->next_of(FrameType::reply), call_id(1));
  expect_time_reply(peer->next_of(FrameType::reply), call_id(2));
}

TEST_F(WireParityTest, Row57_AFrameInRecordsOfOneByteIsAnswered) {
  server_ = make_server();
  WirePeer peer(dial());
  for (const char byte : pipe::encode_hello(plain_hello("by-hand"))) {
    ASSERT_TRUE(peer.send({&byte, 1}));
  }
  ASSERT_TRUE(peer.next_of(FrameType::hello));
  for (const char byte : call_frame(call_id(9), "get", "time")) ASSERT_TRUE(peer.send({&byte, 1}));
  expect_time_reply(peer.next_of(FrameType::reply), call_id(9));
}

TEST_F(WireParityTest, Row58_GarbageClosesItsOwnLinkOnly) {
  start_pair();
  std::mt19937 random(58);
  std::string noise(4096, '\0');
  for (auto& c : noise) c = static_cast<char>(random());
  const std::string unknown_type("\0\0\0\0\x0f\0\0\0\0\0\0\0", 12);
  const std::string length_bomb("\xff\xff\xff\xff\x01\0\0\0\0\0\0\1", 12);
  const auto memory_before = server_->memory_kb();
  for (const auto& garbage : {unknown_type, noise, length_bomb}) {
    // Before any HELLO, and after one.
    auto fresh = dial();
    ASSERT_TRUE(fresh);
    ASSERT_TRUE(fresh->send(garbage));
    EXPECT_TRUE(fresh->closes());
    auto peer = connect();
    ASSERT_TRUE(peer->send(garbage));
    EXPECT_TRUE(peer->closes());
    expect_time(curl({C("/server/time")}), "time_from_server");
    expect_time(curl({S("/client/alpha/time")}), "time_from_client");
  }
  EXPECT_LT(server_->memory_kb(), memory_before + 16 * 1024);
  EXPECT_TRUE(server_forgets("by-hand"));
}

TEST_F(WireParityTest, Row58_AnIgnorableFrameOfALaterVersionIsSkipped) {
  server_ = make_server();
  const auto peer = connect();
  const std::string later("\0\0\0\3\x1f\x80\0\0\0\0\0\0new", 15);
  ASSERT_TRUE(peer->send(later + call_frame(call_id(3), "get", "time")));
  expect_time_reply(peer->next_of(FrameType::reply), call_id(3));
}

TEST_F(WireParityTest, Row59_ASilentPeerIsDroppedAfterTwoIntervals) {
  server_ = make_server({.flags = {"--heartbeat-interval", "1"}});
  const auto peer = connect();
  ASSERT_TRUE(server_knows("by-hand"));
  const auto began = TestClock::now();
  // The server's own PINGs come and stay unanswered.
  EXPECT_TRUE(peer->closes());
  EXPECT_GE(TestClock::now() - began, 1500ms);
  EXPECT_TRUE(server_forgets("by-hand"));
}

TEST_F(WireParityTest, Row60_AServerThatIsSilentIsLeftAndDialledAgain) {
  const auto listener = listen_on_loopback();
  const auto server = answer_client(listener, {"--heartbeat-interval", "1"});
  ASSERT_TRUE(server);
  const auto connected = TestClock::now();

  ASSERT_TRUE(server->next_of(FrameType::ping));
  const auto pinged = TestClock::now();
  EXPECT_GE(pinged - connected, 800ms);
  EXPECT_LE(pinged - connected, 4s) << "the default is 5 s";
  EXPECT_TRUE(server->closes());
  EXPECT_GE(TestClock::now() - pinged, 800ms);
  EXPECT_LE(TestClock::now() - pinged, 8s);
  EXPECT_TRUE(accept_from(listener));
}

TEST_F(WireParityTest, Row61_AnIdleClientSendsOneHeartbeatPerInterval) {
  const auto listener = listen_on_loopback();
  const auto server = answer_client(listener, {"--heartbeat-interval", "1"});
  ASSERT_TRUE(server);
  int pings = 0;
  const auto until = TestClock::now() + 4500ms;
  while (const auto ping = server->next_of(FrameType::ping, until - TestClock::now())) {
    ++pings;
    ASSERT_EQ(ping->payload.size(), pipe::kPingBytes);
    ASSERT_TRUE(server->send(pipe::encode_ping(FrameType::pong, ping->payload)));
  }
  EXPECT_GE(pings, 2);
  EXPECT_LE(pings, 5);
  EXPECT_EQ(status_of(client_->rest_port(), "/readyz"), 200);
}

TEST_F(WireParityTest, Row61_AServerThatHearsHeartbeatsSendsNone) {
  server_ = make_server({.flags = {"--heartbeat-interval", "2"}});
  const auto peer = connect();
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(peer->next_of(FrameType::ping, 1s));
    ASSERT_TRUE(peer->send(pipe::encode_ping(FrameType::ping, "8 bytes!")));
    ASSERT_TRUE(peer->next_of(FrameType::pong));
  }
}

TEST_F(WireParityTest, Row50_TheNewestPipeOfAnIdentityWins) {
  server_ = make_server();
  const auto first = connect("twin");
  ASSERT_TRUE(server_knows("twin"));
  const auto second = connect("twin");
  const auto goodbye = first->next_of(FrameType::goodbye);
  ASSERT_TRUE(goodbye);
  const auto reason = pipe::decode_goodbye(goodbye->payload);
  ASSERT_TRUE(reason);
  EXPECT_EQ(reason->reason.code, pipe::Errc::replaced);
  EXPECT_TRUE(first->closes());
  ASSERT_TRUE(second->send(call_frame(call_id(1), "get", "time")));
  expect_time_reply(second->next_of(FrameType::reply), call_id(1));
  EXPECT_TRUE(server_knows("twin", 0s));
}

TEST_F(WireParityTest, ConnectionsOverTheAcceptRateWaitTheirTurn) {
  server_ = make_server({.flags = {"--limits-accept-rate", "10"}});
  const auto began = TestClock::now();
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(connect()) << i;
  EXPECT_GE(TestClock::now() - began, 900ms);
  EXPECT_LT(TestClock::now() - began, 20s);
}

TEST_F(WireParityTest, APeerNamesOnlyExportedMethods) {
  server_ = make_server();
  const auto peer = connect();
  for (const char* noun : {"start_hook", "__init__", "time/../time"}) {
    SCOPED_TRACE(noun);
    ASSERT_TRUE(peer->send(call_frame(call_id(5), "get", noun)));
    const auto frame = peer->next_of(FrameType::reply);
    ASSERT_TRUE(frame);
    const auto reply = pipe::decode_reply(frame->head());
    ASSERT_TRUE(reply);
    EXPECT_TRUE(reply->failed || reply->head.code == pipe::kCodeNoSuchMethod);
  }
}

}  // namespace
}  // namespace rp::product
