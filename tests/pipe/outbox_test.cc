#include "pipe/core/outbox.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "pipe/core/control.h"
#include "pipe/core/limits.h"
#include "tests/pipe/memory_pipe.h"

namespace rp::pipe {
namespace {

using test::frame;
using test::frames;
using test::SentFrame;

constexpr std::uint32_t kPlenty = 1 << 30;

class OutboxTest : public ::testing::Test {
 protected:
  /// One batch.
  std::vector<SentFrame> produce(std::size_t bytes_max = 64 * 1024) {
    std::string out;
    outbox_.produce(out, bytes_max);
    return frames(out);
  }
  std::vector<SentFrame> produce_all() {
    std::vector<SentFrame> all;
    while (outbox_.has_output()) {
      std::vector<SentFrame> some = produce();
      EXPECT_FALSE(some.empty()) << "has_output() without output";
      if (some.empty()) break;
      all.insert(all.end(), some.begin(), some.end());
    }
    EXPECT_TRUE(produce().empty());
    return all;
  }
  void push_call(CallId id, std::size_t bytes = 10) {
    outbox_.add_message() += frame(FrameType::call, 0, id, std::string(bytes, 'c'), 10);
  }
  std::unique_ptr<SendStream> stream(CallId id, std::uint32_t window = kPlenty) {
    return std::make_unique<SendStream>(id, std::uint8_t{0}, window, outbox_.messages_end());
  }

  Outbox outbox_{kPlenty, kPlenty};
};

TEST_F(OutboxTest, SendsControlFramesFirst) {
  push_call(1);
  auto body = stream(1);
  outbox_.push(*body, "body", true);
  outbox_.push_control(encode_ping(FrameType::ping, "12345678"));
  const auto sent = produce_all();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].type(), FrameType::ping);
  EXPECT_EQ(sent[1].type(), FrameType::call);
  EXPECT_EQ(sent[2].type(), FrameType::data);
}

TEST_F(OutboxTest, NeverSendsABodyBeforeItsHead) {
  for (CallId id = 1; id <= 100; ++id) push_call(id, 2000);
  auto body = stream(100);
  outbox_.push(*body, std::string(100'000, 'b'), true);
  push_call(101);
  bool head_seen = false;
  for (const SentFrame& sent : produce_all()) {
    if (sent.type() == FrameType::call && sent.header.call == 100) head_seen = true;
    if (sent.type() == FrameType::data) {
      EXPECT_TRUE(head_seen);
    }
  }
  EXPECT_TRUE(body->end_sent);
}

TEST_F(OutboxTest, SendsMessagesInABatchOfTheirOwnWhereBodiesGiveWay) {
  outbox_.pace_bodies({.in_flight_max = kPlenty, .give_way = true});
  auto body = stream(1);
  outbox_.push(*body, std::string(100'000, 'b'), true);
  push_call(2);
  auto batch = produce();
  ASSERT_EQ(batch.size(), 1U);
  EXPECT_EQ(batch[0].type(), FrameType::call);
  push_call(3);
  batch = produce();
  ASSERT_GE(batch.size(), 2U) << "bodies do not give way twice";
  EXPECT_EQ(batch[0].type(), FrameType::call);
  EXPECT_EQ(batch[1].type(), FrameType::data);
  push_call(4);
  EXPECT_EQ(produce().size(), 1U);
  produce_all();
  EXPECT_TRUE(body->end_sent);
}

TEST_F(OutboxTest, SendsMessagesTogetherWithBodiesThatDoNotGiveWay) {
  auto body = stream(1);
  outbox_.push(*body, "body", true);
  push_call(2);
  EXPECT_EQ(produce().size(), 2U);
}

TEST_F(OutboxTest, KeepsMessagesInOrderAcrossManyBatches) {
  std::vector<CallId> expected;
  for (CallId id = 1; id <= 5000; ++id) {
    push_call(id, 10 + id % 1000);
    expected.push_back(id);
  }
  std::vector<CallId> sent;
  for (const SentFrame& f : produce_all()) sent.push_back(f.header.call);
  EXPECT_EQ(sent, expected);
  EXPECT_EQ(outbox_.waiting_bytes(), 0U);
}

TEST_F(OutboxTest, CutsBodiesIntoFramesOf16KiBAndEndsTheLast) {
  auto body = stream(1);
  outbox_.push(*body, std::string(40'000, 'b'), true);
  const auto sent = produce_all();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].payload.size(), 16'384U);
  EXPECT_EQ(sent[1].payload.size(), 16'384U);
  EXPECT_EQ(sent[2].payload.size(), 40'000U - 2 * 16'384U);
  EXPECT_EQ(sent[0].header.flags, 0);
  EXPECT_EQ(sent[1].header.flags, 0);
  EXPECT_EQ(sent[2].header.flags, frame_flag::end);
}

TEST_F(OutboxTest, EndsABodyWhoseEndIsKnownLater) {
  auto body = stream(1, 4);
  outbox_.push(*body, "four", false);
  EXPECT_EQ(produce_all().at(0).header.flags, 0);
  outbox_.push(*body, "", true);  // no window is left, and none is needed
  const auto sent = produce_all();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload, "");
  EXPECT_EQ(sent[0].header.flags, frame_flag::end);
  EXPECT_TRUE(body->end_sent);
}

TEST_F(OutboxTest, TakesStreamsInTurn) {
  auto one = stream(1);
  auto two = stream(2);
  auto three = stream(3);
  outbox_.push(*one, std::string(1'000'000, '1'), true);
  outbox_.push(*two, std::string(50'000, '2'), true);
  outbox_.push(*three, std::string(50'000, '3'), true);
  std::vector<CallId> order;
  for (const SentFrame& f : produce_all()) order.push_back(f.header.call);
  const std::vector<CallId> start(order.begin(), order.begin() + 9);
  EXPECT_EQ(start, (std::vector<CallId>{1, 2, 3, 1, 2, 3, 1, 2, 3}));
}

TEST_F(OutboxTest, LetsMessagesPassBetweenThePiecesOfABody) {
  auto body = stream(1);
  outbox_.push(*body, std::string(1'000'000, 'b'), true);
  produce();
  push_call(2);
  EXPECT_EQ(produce().at(0).type(), FrameType::call);
}

TEST_F(OutboxTest, LetsABodyAdvanceUnderAFloodOfMessages) {
  auto body = stream(1);
  outbox_.push(*body, std::string(1'000'000, 'b'), true);
  for (int i = 0; i < 10; ++i) {
    for (CallId id = 1; id <= 200; ++id) push_call(id, 1000);
    EXPECT_EQ(produce().back().type(), FrameType::data);
  }
}

TEST_F(OutboxTest, StopsAtTheWindowOfTheStream) {
  auto body = stream(1, 20'000);
  outbox_.push(*body, std::string(50'000, 'b'), true);
  std::size_t bytes = 0;
  for (const SentFrame& f : produce_all()) bytes += f.payload.size();
  EXPECT_EQ(bytes, 20'000U);
  EXPECT_TRUE(outbox_.credit(*body, 5));
  const auto sent = produce_all();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload.size(), 5U);
}

TEST_F(OutboxTest, StopsAllStreamsAtTheWindowOfTheSession) {
  outbox_.set_session_window(20'000);
  auto one = stream(1);
  auto two = stream(2);
  outbox_.push(*one, std::string(50'000, '1'), true);
  outbox_.push(*two, std::string(50'000, '2'), true);
  std::size_t bytes = 0;
  for (const SentFrame& f : produce_all()) bytes += f.payload.size();
  EXPECT_EQ(bytes, 20'000U);
  EXPECT_FALSE(outbox_.has_output());
  push_call(3);
  EXPECT_EQ(produce_all().size(), 1U) << "messages need no window";
  EXPECT_TRUE(outbox_.session_credit(80'000));
  bytes = 0;
  for (const SentFrame& f : produce_all()) bytes += f.payload.size();
  EXPECT_EQ(bytes, 80'000U);
  EXPECT_TRUE(one->end_sent);
  EXPECT_TRUE(two->end_sent);
}

TEST_F(OutboxTest, RefusesCreditThatOverflows) {
  auto body = stream(1, 10);
  EXPECT_FALSE(outbox_.credit(*body, 0x7fffffff));
  EXPECT_FALSE(outbox_.session_credit(0x7fffffff));
}

TEST_F(OutboxTest, ForgetsADroppedStream) {
  auto one = stream(1);
  auto two = stream(2);
  outbox_.push(*one, std::string(50'000, '1'), true);
  outbox_.push(*two, "2", true);
  outbox_.drop(*one);
  one.reset();
  const auto sent = produce_all();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].header.call, 2U);
}

/// Ends its stream as soon as it hears that something was sent.
class Dropper final : public SendStream::Listener {
 public:
  explicit Dropper(Outbox& outbox) : outbox_(outbox) {}
  void body_sent(CallId, std::size_t bytes) override {
    sent_bytes += bytes;
    outbox_.drop(*stream);
    stream.reset();
  }
  std::unique_ptr<SendStream> stream;
  std::size_t sent_bytes = 0;

 private:
  Outbox& outbox_;
};

TEST_F(OutboxTest, LetsAListenerDestroyItsStream) {
  Dropper dropper(outbox_);
  dropper.stream = std::make_unique<SendStream>(1, frame_flag::yours, kPlenty, 0, &dropper);
  outbox_.push(*dropper.stream, std::string(50'000, 'b'), true);
  EXPECT_EQ(produce_all().size(), 1U);
  EXPECT_EQ(dropper.sent_bytes, 16'384U);
}

TEST_F(OutboxTest, CountsReliableFramesWhenTheyLeave) {
  push_call(1);
  outbox_.push_control(encode_credit(1, 0, 5));
  outbox_.push_control(encode_ack(1));
  auto body = stream(1);
  outbox_.push(*body, "b", true);
  EXPECT_EQ(outbox_.reliable_frames(), 0U);
  produce_all();
  EXPECT_EQ(outbox_.reliable_frames(), 3U) << "CALL, CREDIT and DATA; not ACK";
}

TEST_F(OutboxTest, SendsNothingButALastWordOnceSilent) {
  push_call(1);
  outbox_.push_control(encode_ping(FrameType::ping, "12345678"));
  auto body = stream(1);
  outbox_.push(*body, "b", true);
  outbox_.silence();
  EXPECT_FALSE(outbox_.has_output());
  outbox_.push_control(encode_goodbye({.reason = {Errc::stopped, ""}}));
  const auto sent = produce_all();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].type(), FrameType::goodbye);
  EXPECT_EQ(outbox_.produced(), 0U) << "what never left counts as not sent";
}

}  // namespace
}  // namespace rp::pipe
