#include <string>
#include <sys/socket.h>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "pipe/core/control.h"
#include "pipe/core/head.h"
#include "pipe/pipe.h"
#include "tests/pipe/loopback.h"
#include "tests/pipe/raw_peer.h"

/// Peers over TLS that are not who they should be, or do not do what they should.
namespace rp::pipe {
namespace {

using namespace test;
using certs::Role;
using certs::testing::Kind;

std::string hello(std::uint32_t window = 256 * 1024) {
  Hello h;
  h.node = "raw";
  h.calls_in_flight_max = 100;
  h.stream_window_bytes = window;
  h.session_window_bytes = window * 8;
  return encode_hello(h);
}

std::string call(CallId id, const std::string& noun, std::string_view body = {}) {
  Event event;
  event.verb = "post";
  event.noun = noun;
  std::string bytes;
  append_call(event, body, true, id, Clock::now(), bytes);
  return bytes;
}

Errc goodbye_reason(std::pair<int, std::string> frame) {
  if (frame.first != static_cast<int>(FrameType::goodbye)) return {};
  return decode_goodbye(frame.second).value().reason.code;
}

RawPeer::Options as(Role role, Kind kind = Kind::good) {
  return {.role = role, .identity = pki().identity(role, kind)};
}

// ---- Identities --------------------------------------------------------------------------------

class HostileIdentities : public ::testing::TestWithParam<Kind> {};

TEST_P(HostileIdentities, OfServersGetNoByteOfAFrame) {
  const SocketPair sockets;
  PipeHost client(Role::client);
  client.start(sockets.dialled);
  RawPeer server(sockets.accepted, as(Role::server, GetParam()));
  EXPECT_FALSE(server.handshake()) << "the client has finished TLS with it";
  EXPECT_EQ(server.receive_all(), "");
  EXPECT_EQ(client.wait_end(), Errc::bad_identity);
  EXPECT_NE(client.detail(), "");
  EXPECT_FALSE(client.wait_open());
}

TEST_P(HostileIdentities, OfClientsGetNowhere) {
  const SocketPair sockets;
  PipeHost server(Role::server);
  bool admitted = false;
  server.admit = [&](const Origin&) {
    admitted = true;
    return error_code();
  };
  server.start(sockets.accepted);
  RawPeer client(sockets.dialled, as(Role::client, GetParam()));
  // In TLS 1.3 a client is done before the server has judged it.
  if (client.handshake()) (void)client.send(hello() + call(0x10000, "echo"));
  EXPECT_EQ(client.receive_all(), "");
  EXPECT_EQ(server.wait_end(), Errc::bad_identity);
  EXPECT_NE(server.detail(), "");
  EXPECT_FALSE(admitted);
  EXPECT_EQ(server.handlers.submitted, 0);
}

INSTANTIATE_TEST_SUITE_P(EachKind, HostileIdentities,
                         ::testing::ValuesIn(certs::testing::kRefusedKinds), [](const auto& kind) {
                           return std::string(certs::testing::to_string(kind.param));
                         });

TEST(HostileIdentity, AServerWithAnotherNameGetsNoByteOfAFrame) {
  const SocketPair sockets;
  PipeHost client(Role::client);
  client.start(sockets.dialled);
  RawPeer server(sockets.accepted, as(Role::server, Kind::wrongname));
  EXPECT_FALSE(server.handshake());
  EXPECT_EQ(server.receive_all(), "");
  EXPECT_EQ(client.wait_end(), Errc::bad_identity);
}

TEST(HostileIdentity, AClientWithoutACertificateIsRefused) {
  const SocketPair sockets;
  PipeHost server(Role::server);
  server.start(sockets.accepted);
  RawPeer client(sockets.dialled, {.role = Role::client, .identity = {}});
  if (client.handshake()) (void)client.send(hello());
  EXPECT_EQ(client.receive_all(), "");
  EXPECT_EQ(server.wait_end(), Errc::bad_identity);
  EXPECT_EQ(server.handlers.submitted, 0);
}

TEST(HostileIdentity, ARefusedClientLearnsThatItIsItsCertificate) {
  const SocketPair sockets;
  PipeHost client(Role::client);
  client.start(sockets.dialled);
  // A server that trusts another authority: plain OpenSSL with our verification turned round.
  RawPeer::Options options = as(Role::server);
  options.refuse_peer = true;
  RawPeer server(sockets.accepted, options);
  EXPECT_FALSE(server.handshake());
  EXPECT_EQ(client.wait_end(), Errc::bad_identity);
  EXPECT_NE(client.detail(), "");
}

TEST(HostileIdentity, Tls12IsRefused) {
  const SocketPair sockets;
  PipeHost server(Role::server);
  server.start(sockets.accepted);
  RawPeer::Options options = as(Role::client);
  options.tls_version_max = 0x0303;
  RawPeer client(sockets.dialled, options);
  EXPECT_FALSE(client.handshake());
  EXPECT_TRUE(server.wait_end());
}

TEST(HostileIdentity, AnotherProtocolInAlpnIsRefused) {
  const SocketPair sockets;
  PipeHost server(Role::server);
  server.start(sockets.accepted);
  RawPeer::Options options = as(Role::client);
  options.alpn = "\x02h2";
  RawPeer client(sockets.dialled, options);
  EXPECT_FALSE(client.handshake());
  EXPECT_TRUE(server.wait_end());
}

// ---- Bytes -------------------------------------------------------------------------------------

/// A server pipe and a raw client with a good certificate.
class RawClient : public ::testing::Test {
 protected:
  explicit RawClient(Pipe::Options options = {}) : server_(Role::server, options) {}

  void SetUp() override {
    const SocketPair sockets;
    server_.start(sockets.accepted);
    client_.emplace(sockets.dialled, as(Role::client));
    ASSERT_TRUE(client_->handshake());
  }
  void say_hello() {
    ASSERT_TRUE(client_->send(hello()));
    ASSERT_EQ(client_->receive_frame().first, static_cast<int>(FrameType::hello));
  }
  /// The next frame that is no acknowledgement.
  std::pair<int, std::string> next_frame() {
    for (;;) {
      auto frame = client_->receive_frame();
      if (frame.first != static_cast<int>(FrameType::ack)) return frame;
    }
  }

  PipeHost server_;
  std::optional<RawPeer> client_;
};

// Parity row 53: the server says nothing first.
TEST_F(RawClient, Row53HearsNothingBeforeItHasSpoken) {
  say_hello();
  ASSERT_TRUE(client_->send(encode_ping(FrameType::ping, "12345678")));
  EXPECT_EQ(next_frame(),
            std::make_pair(static_cast<int>(FrameType::pong), std::string("12345678")))
      << "HELLO was the first frame, PONG the next";
}

// Parity rows 54 and 55, in our own protocol's terms.
TEST_F(RawClient, Row54And55GetsAnAnswerToHeartbeatAndEvent) {
  say_hello();
  ASSERT_TRUE(client_->send(encode_ping(FrameType::ping, "heartbea")));
  EXPECT_EQ(next_frame().second, "heartbea");
  ASSERT_TRUE(client_->send(call(0x10007, "echo", "hello")));
  const auto reply = next_frame();
  EXPECT_EQ(reply.first, static_cast<int>(FrameType::reply));
  EXPECT_EQ(reply.second, "hello");
}

TEST_F(RawClient, Row56GetsBothAnswersToTwoFramesInOneRecord) {
  ASSERT_TRUE(client_->send(hello() + call(0x10000, "echo", "1") + call(0x10001, "echo", "2")));
  EXPECT_EQ(next_frame().first, static_cast<int>(FrameType::hello));
  EXPECT_EQ(next_frame().second, "1");
  EXPECT_EQ(next_frame().second, "2");
}

TEST_F(RawClient, Row57IsAnsweredWhenEachByteComesInARecordOfItsOwn) {
  const std::string bytes = hello() + call(0x10000, "echo", "byte by byte");
  for (const char byte : bytes) ASSERT_TRUE(client_->send({&byte, 1}));
  EXPECT_EQ(next_frame().first, static_cast<int>(FrameType::hello));
  EXPECT_EQ(next_frame().second, "byte by byte");
}

TEST_F(RawClient, Row58IsClosedForAnUnknownType) {
  say_hello();
  ASSERT_TRUE(client_->send(std::string("\0\0\0\1\x55\0\0\0\0\0\0\0x", 13)));
  EXPECT_EQ(goodbye_reason(next_frame()), Errc::unknown_frame_type);
  EXPECT_EQ(client_->receive_all(), "");
  client_.reset();
  EXPECT_EQ(server_.wait_end(), Errc::unknown_frame_type);
}

TEST_F(RawClient, Row58IsClosedForALengthBomb) {
  say_hello();
  ASSERT_TRUE(client_->send(std::string("\xff\xff\xff\xff\1\0\0\0\0\0\0\0", 12)));
  EXPECT_EQ(goodbye_reason(next_frame()), Errc::frame_too_large);
  client_.reset();
  EXPECT_EQ(server_.wait_end(), Errc::frame_too_large);
}

TEST_F(RawClient, IsClosedForARequestOfAnotherProtocol) {
  ASSERT_TRUE(client_->send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_EQ(goodbye_reason(next_frame()), Errc::frame_too_large);
  client_.reset();
  EXPECT_TRUE(server_.wait_end());
}

TEST_F(RawClient, HearsWhyThoughItSendsAndDoesNotRead) {
  say_hello();
  ASSERT_TRUE(server_.wait_open());
  std::string flood;
  for (CallId slot = 0; slot < 1000; ++slot) flood += call(0x10000 | slot, "stall");
  ASSERT_TRUE(client_->send(flood));
  EXPECT_TRUE(server_.at_home([](Pipe& pipe) {
    pipe.goodbye({Errc::replaced, "a newer pipe"}, /*drain=*/false);
  }));
  (void)client_->send(encode_ping(FrameType::ping, "12345678"));
  EXPECT_EQ(goodbye_reason(next_frame()), Errc::replaced);
}

TEST_F(RawClient, IsLeftAfterASecondThoughItStays) {
  say_hello();
  ASSERT_TRUE(server_.wait_open());
  const auto since = Clock::now();
  EXPECT_TRUE(server_.at_home([](Pipe& pipe) { pipe.goodbye({Errc::stopped, ""}, false); }));
  EXPECT_EQ(server_.wait_end(), Errc::stopped);
  EXPECT_LT(Clock::now() - since, kPatience / 2);
}

TEST_F(RawClient, MayChangeItsKeysInTheMidst) {
  say_hello();
  for (CallId slot = 0; slot < 50; ++slot) {
    client_->request_key_update();
    ASSERT_TRUE(client_->send(call(0x10000 | slot, "echo", std::string(3000, 'k'))));
    ASSERT_EQ(next_frame().second.size(), 3000U);
  }
}

TEST_F(RawClient, EndsThePipeByAResetInMidFrame) {
  say_hello();
  ASSERT_TRUE(server_.wait_open());
  const auto sink = server_.call("never");
  ASSERT_EQ(next_frame().first, static_cast<int>(FrameType::call));
  ASSERT_TRUE(client_->send(call(0x10000, "echo", "half").substr(0, 20)));
  client_->reset();
  EXPECT_TRUE(server_.wait_end());
  ASSERT_TRUE(sink->wait());
  EXPECT_EQ(sink->failed_with(), Errc::session_lost);
  EXPECT_EQ(server_.handlers.submitted, 0);
}

TEST_F(RawClient, EndsThePipeByLeaving) {
  say_hello();
  client_.reset();
  EXPECT_EQ(server_.wait_end(), Errc::link_lost);
}

Pipe::Options impatient() {
  Pipe::Options options;
  options.handshake_timeout = 200ms;
  options.link.write_timeout = 200ms;
  return options;
}

class ImpatientServer : public RawClient {
 protected:
  ImpatientServer() : RawClient(options()) {}
  static Pipe::Options options() {
    Pipe::Options o = impatient();
    o.handshake_timeout = 2s;  // TLS itself must fit, on a busy machine too
    return o;
  }
};

TEST_F(ImpatientServer, DropsAPeerThatSaysNothingAfterTls) {
  EXPECT_EQ(goodbye_reason(client_->receive_frame()), Errc::handshake_timeout);
  EXPECT_EQ(client_->receive_all(), "");
  client_.reset();
  EXPECT_EQ(server_.wait_end(), Errc::handshake_timeout);
}

TEST_F(ImpatientServer, DropsAPeerThatReadsNothing) {
  ASSERT_TRUE(client_->send(hello(1 << 27)));
  // Answers that need no credit, more than the buffers of two sockets hold.
  for (CallId slot = 0; slot < 400; ++slot) {
    ASSERT_TRUE(client_->send(call(0x10000 | slot, "page")));
  }
  EXPECT_EQ(server_.wait_end(), Errc::overloaded);
}

TEST(SilentSocket, IsDroppedBeforeTls) {
  const SocketPair sockets;
  PipeHost server(Role::server, impatient());
  server.start(sockets.accepted);
  EXPECT_EQ(server.wait_end(), Errc::handshake_timeout);
  ::close(sockets.dialled);
}

TEST(SilentSocket, IsDroppedWithHalfAClientHello) {
  const SocketPair sockets;
  PipeHost server(Role::server, impatient());
  server.start(sockets.accepted);
  const std::string half("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  ASSERT_EQ(::write(sockets.dialled, half.data(), half.size()), 11);
  EXPECT_EQ(server.wait_end(), Errc::handshake_timeout);
  ::close(sockets.dialled);
}

TEST(SilentSocket, IsDroppedThoughItDripsBytes) {
  const SocketPair sockets;
  PipeHost server(Role::server, impatient());
  server.start(sockets.accepted);
  // A record header that announces 16 KiB, then byte after byte: the deadline covers the whole.
  const std::string header("\x16\x03\x01\x3f\xff\x01", 6);
  ASSERT_EQ(::send(sockets.dialled, header.data(), header.size(), MSG_NOSIGNAL), 6);
  while (!server.has_ended()) {
    if (::send(sockets.dialled, "x", 1, MSG_NOSIGNAL) < 0) break;
    std::this_thread::yield();
  }
  EXPECT_TRUE(server.wait_end());
  ::close(sockets.dialled);
}

TEST(SilentSocket, ThatSpeaksPlainTextIsRefused) {
  const SocketPair sockets;
  PipeHost server(Role::server);
  server.start(sockets.accepted);
  ASSERT_GT(::write(sockets.dialled, "GET / HTTP/1.0\r\n\r\n", 18), 0);
  EXPECT_EQ(server.wait_end(), Errc::bad_identity);
  ::close(sockets.dialled);
}

}  // namespace
}  // namespace rp::pipe
