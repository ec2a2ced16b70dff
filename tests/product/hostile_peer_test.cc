
#include <gtest/gtest.h>

#include "pipe/core/head.h"
#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"
#include "tests/product/harness/wire_peer.h"

/// A client with a good certificate that breaks the rules of docs/wire.md: its session ends with an
/// error that has a name, others do not notice, and the server's memory stays bounded. Lies about
/// resumption are in resume_test.cc.
namespace rp::product {
namespace {

using pipe::Errc;
using pipe::FrameType;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kMemoryGrowthKb = 512 * 1024;  // they keep freed memory for a while
#else
constexpr std::size_t kMemoryGrowthKb = 48 * 1024;
#endif

constexpr pipe::CallId call_id(std::uint16_t slot) { return 1u << 16 | slot; }

std::string frame(FrameType type, std::uint8_t flags, pipe::CallId call, std::string_view payload) {
  std::string bytes(pipe::kFrameHeaderBytes, '\0');
  pipe::encode_header({.payload_bytes = static_cast<std::uint32_t>(payload.size()),
                       .type = static_cast<std::uint8_t>(type),
                       .flags = flags,
                       .head_bytes = 0,
                       .call = call},
                      bytes.data());
  return bytes.append(payload);
}

std::string data(pipe::CallId call, std::string_view bytes, std::uint8_t flags = 0) {
  return frame(FrameType::data, flags, call, bytes);
}

/// A CALL whose body follows.
std::string open_call(pipe::CallId id, const std::string& noun) {
  pipe::Event event;
  event.verb = "post";
  event.noun = noun;
  event.request_id = "hostile";
  std::string bytes;
  pipe::append_call(event, "", false, id, pipe::Clock::now(), bytes);
  return bytes;
}

/// 64 KiB without credit in one write is a whole window more than a fresh call has, so that a flood
/// of them is over the credit whatever the reader does.
std::string block_of_data(pipe::CallId call, std::uint8_t flags = 0) {
  std::string block;
  for (int i = 0; i < 4; ++i) block += data(call, std::string(16'384, 'd'), flags);
  return block;
}

class HostilePeerTest : public LabTest {
 protected:
  void SetUp() override {
    script("post_stuck", "exec sleep 600");  // reads no body
    start_methods_pair();
    memory_kb_ = server_->memory_kb();
  }

  std::unique_ptr<WirePeer> connect(const std::vector<std::string>& features = {}) {
    const auto directory = authority_.client("mallory");
    auto stream = TlsStream::dial(
        connect_to(server_->pipe_port()).value(),
        {directory / "restpipe.client.crt.pem", directory / "restpipe.client.key.pem"});
    if (!stream) throw std::runtime_error("no TLS with the server");
    auto peer = std::make_unique<WirePeer>(std::move(stream));
    pipe::Hello hello = plain_hello("by-hand");
    hello.features = features;
    if (!peer->exchange_hello(hello)) throw std::runtime_error("no HELLO from the server");
    EXPECT_TRUE(server_knows("mallory"));
    return peer;
  }

  /// The server's last word names the error, it closes, and its log says so too.
  void expect_end(WirePeer& peer, Errc reason) {
    const auto last = peer.next_of(FrameType::goodbye);
    ASSERT_TRUE(last) << "no GOODBYE";
    EXPECT_EQ(pipe::decode_goodbye(last->payload)->reason.code, reason);
    EXPECT_TRUE(peer.closes());
    EXPECT_TRUE(server_forgets("mallory"));
    const auto line = server_->process().err_line("Pipe is down peer=mallory");
    ASSERT_TRUE(line) << server_->log();
    EXPECT_TRUE(contains(*line, pipe::make_error_code(reason).message())) << *line;
  }

  void expect_others_untouched() {
    EXPECT_EQ(curl({C("/server/run//other"), "-d", "to the server"}).body, "to the server");
    EXPECT_EQ(curl({S("/client/alpha/run//other"), "-d", "to alpha"}).body, "to alpha");
    EXPECT_TRUE(contains(curl({C("/nodes")}).body, "\"links\":1"));
    EXPECT_LT(server_->memory_kb(), memory_kb_ + kMemoryGrowthKb);
  }

  /// A small call on the same session is answered.
  static void expect_served(WirePeer& peer, std::uint16_t slot) {
    ASSERT_TRUE(peer.send(call_frame(call_id(slot), "get", "bare")));
    for (;;) {
      const auto reply = peer.next_of(FrameType::reply);
      ASSERT_TRUE(reply) << "no answer";
      if (reply->header.call != call_id(slot)) continue;
      EXPECT_EQ(reply->body(), "plain");
      return;
    }
  }

  std::size_t memory_kb_ = 0;
};

TEST_F(HostilePeerTest, FloodsTheBodyOfACall) {
  const auto peer = connect();
  ASSERT_TRUE(peer->send(open_call(call_id(1), "stuck")));
  for (int i = 0; i < 400 && peer->send(block_of_data(call_id(1))); ++i) {
  }
  expect_end(*peer, Errc::protocol_violation);
  expect_others_untouched();
}

TEST_F(HostilePeerTest, FloodsTheReplyToACall) {
  const auto peer = connect();
  const auto reader = connect_to(server_->rest_port()).value();  // never reads
  ASSERT_TRUE(send_all(reader, "GET /client/mallory/x HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  const auto call = peer->next_of(FrameType::call);
  ASSERT_TRUE(call);
  std::string head;
  pipe::append_reply({}, "", false, call->header.call, head);
  ASSERT_TRUE(peer->send(head));
  const auto block = block_of_data(call->header.call, pipe::frame_flag::yours);
  for (int i = 0; i < 400 && peer->send(block); ++i) {
  }
  expect_end(*peer, Errc::protocol_violation);
  EXPECT_TRUE(closes(reader)) << "its answer is broken off";
  expect_others_untouched();
}

TEST_F(HostilePeerTest, NeverGrantsCreditForReplies) {
  const auto peer = connect();
  std::string calls;
  for (std::uint16_t slot = 1; slot <= 8; ++slot) {
    calls += call_frame(call_id(slot), "get", "pattern//16000");  // 1 GB each
  }
  ASSERT_TRUE(peer->send(calls));
  std::size_t received = 0;
  while (const auto next = peer->next_of(FrameType::data, 1s)) received += next->payload.size();
  EXPECT_GT(received, 0u);
  EXPECT_LE(received, plain_hello("").session_window_bytes);
  expect_served(*peer, 9);
  expect_others_untouched();
}

TEST_F(HostilePeerTest, NeverGrantsCreditForARequest) {
  const auto peer = connect();
  const auto body = data_file("upload", std::string(30'000'000, 'u'));
  CurlRun upload({"-H", "Request-Timeout: 1.5", "-H", "Expect:", "--data-binary", body,
                  S("/client/mallory/x")});
  std::size_t received = 0;
  while (const auto next = peer->next_of(FrameType::data, 1s)) received += next->payload.size();
  EXPECT_GT(received, 0u);
  EXPECT_LE(received, plain_hello("").stream_window_bytes);
  const auto late = upload.finish();
  EXPECT_EQ(late.status, 504) << late.error;
  EXPECT_TRUE(contains(late.body, "\"deadline_exceeded\"")) << late.body;
  expect_served(*peer, 1);
  expect_others_untouched();
}

TEST_F(HostilePeerTest, MaySendAFewFramesAfterItsCancel) {
  const auto peer = connect();
  ASSERT_TRUE(peer->send(open_call(call_id(1), "stuck") + data(call_id(1), "before") +
                         pipe::encode_cancel(call_id(1), 0, {Errc::cancelled, ""}) +
                         data(call_id(1), "after") + data(call_id(1), "", pipe::frame_flag::end)));
  expect_served(*peer, 2);
  expect_others_untouched();
}

TEST_F(HostilePeerTest, FloodsAfterItsCancel) {
  const auto peer = connect();
  ASSERT_TRUE(peer->send(open_call(call_id(1), "stuck") +
                         pipe::encode_cancel(call_id(1), 0, {Errc::cancelled, ""})));
  std::string block;
  for (int i = 0; i < 1000; ++i) block += data(call_id(1), "x");
  for (int i = 0; i < 70 && peer->send(block); ++i) {
  }
  expect_end(*peer, Errc::protocol_violation);
  expect_others_untouched();
}

TEST_F(HostilePeerTest, NeverAcknowledgesWhatItGets) {
  const auto peer = connect({"resume"});
  // Answers of 60 KB, five times as many as the server keeps for a resumption.
  const std::string body(60'000, 'b');
  std::size_t answered = 0;
  for (int round = 0; round < 25; ++round) {
    std::string calls;
    for (std::uint16_t slot = 1; slot <= 60; ++slot) {
      pipe::Event event;
      event.verb = "post";
      event.noun = "run//" + std::to_string(round) + "-" + std::to_string(slot);
      event.request_id = "hostile";
      const auto generation = static_cast<pipe::CallId>(round + 1);
      pipe::append_call(event, body, true, generation << 16 | slot, pipe::Clock::now(), calls);
    }
    if (!peer->send(calls)) break;
    std::size_t now = 0;
    while (now < 60 && peer->next_of(FrameType::reply, 1s)) ++now;
    answered += now;
    if (now < 60) break;
  }
  EXPECT_GT(answered, 100u);
  EXPECT_LT(answered * body.size(), 40'000'000u) << "it is answered on and on";
  expect_others_untouched();
}

}  // namespace
}  // namespace rp::product
