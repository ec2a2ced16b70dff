#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "pipe/core/head.h"
#include "pipe/core/session.h"
#include "tests/pipe/memory_pipe.h"

/// A peer that breaks the rules of docs/wire.md, one rule at a time.
namespace rp::pipe {
namespace {

using namespace test;

constexpr std::uint8_t kYours = frame_flag::yours;
constexpr std::uint8_t kEnd = frame_flag::end;

class HostilePeer : public ::testing::Test {
 protected:
  /// The session must refuse these bytes with that error, tell the peer so, and be unharmed.
  void expect_refused(const std::string& bytes, Errc reason) {
    EXPECT_EQ(peer_.sends(bytes), reason);
    EXPECT_EQ(peer_.says_goodbye(), reason);
    peer_.end.end(reason, peer_.now);
    EXPECT_EQ(peer_.sends(bytes), Errc::link_lost);
  }
  void expect_taken(const std::string& bytes) { EXPECT_EQ(peer_.sends(bytes), error_code()); }

  /// The session calls the peer; returns the id that it chose.
  CallId session_calls(std::string body = {}) {
    sink_ = peer_.end.call(event(), std::move(body), peer_.now);
    peer_.says();
    return peer_.end.last_ticket().id;
  }
  std::string reply(CallId id, std::string_view body = {}, bool end = true) {
    std::string bytes;
    append_reply({}, body, end, id, bytes);
    return bytes;
  }

  LonePeer peer_;
  std::shared_ptr<RecordingSink> sink_;
};

TEST_F(HostilePeer, SendsASecondHello) {
  expect_refused(encode_hello(LonePeer::default_hello()), Errc::protocol_violation);
}

TEST_F(HostilePeer, SendsAnUnknownType) {
  expect_refused(frame(static_cast<FrameType>(0x42), 0, 0, "x"), Errc::unknown_frame_type);
}

TEST_F(HostilePeer, MaySendAnUnknownTypeThatIsIgnorable) {
  expect_taken(frame(static_cast<FrameType>(0x42), frame_flag::ignorable, 7, "whatever", 3));
  expect_taken(frame(static_cast<FrameType>(0x0f), frame_flag::ignorable | kEnd, 7, ""));
  peer_.now += 100ms;
  const auto said = peer_.says();
  ASSERT_EQ(said.size(), 1U) << "the one of a reliable type is acknowledged";
  EXPECT_EQ(decode_ack(said[0].payload).value(), 1U);
}

TEST_F(HostilePeer, SendsALengthBomb) {
  expect_refused(std::string("\xff\xff\xff\xff\x01\0\0\0\0\x01\0\0", 12), Errc::frame_too_large);
}

TEST_F(HostilePeer, SendsACallThatDoesNotParse) {
  expect_refused(frame(FrameType::call, kEnd, kFirstId, "\x0a\xff", 2), Errc::malformed_frame);
}

TEST_F(HostilePeer, SendsACallWithABadField) {
  Event bad = event();
  bad.verb = "trace";
  std::string bytes;
  append_call(bad, "", true, kFirstId, peer_.now, bytes);
  expect_refused(bytes, Errc::malformed_frame);
  EXPECT_TRUE(peer_.end.target.received.empty());
}

TEST_F(HostilePeer, SendsACallWithBodyBytesButWithoutEnd) {
  std::string bytes;
  append_call(event(), "body", false, kFirstId, peer_.now, bytes);
  expect_refused(bytes, Errc::protocol_violation);
}

TEST_F(HostilePeer, OpensASlotTwice) {
  peer_.sends_call(kFirstId);
  std::string bytes;
  append_call(event(), "", true, 0x00020000, peer_.now, bytes);
  expect_refused(bytes, Errc::protocol_violation);
  EXPECT_EQ(peer_.end.target.received.at(0).control->cancelled, 1);
}

TEST_F(HostilePeer, OpensASlotOverTheLimit) {
  std::string bytes;
  append_call(event(), "", true, 0x00010000 | 4096, peer_.now, bytes);
  expect_refused(bytes, Errc::protocol_violation);
}

TEST_F(HostilePeer, MayOpenTheLastSlot) {
  EXPECT_EQ(peer_.sends_call(0xffff0fff), error_code());
  EXPECT_EQ(peer_.end.target.received.size(), 1U);
}

TEST_F(HostilePeer, OpensAGenerationOfZero) {
  std::string bytes;
  append_call(event(), "", true, 3, peer_.now, bytes);
  expect_refused(bytes, Errc::protocol_violation);
}

TEST_F(HostilePeer, SendsDataAfterTheEndOfTheRequest) {
  peer_.sends_call(kFirstId);
  expect_refused(frame(FrameType::data, 0, kFirstId, "more"), Errc::protocol_violation);
}

TEST_F(HostilePeer, SendsDataOverTheCreditOfItsBody) {
  Limits limits;
  limits.stream_window_bytes = 1000;
  LonePeer peer(Session::Side::acceptor, limits);
  peer.sends_call(kFirstId, "", /*whole=*/false);
  EXPECT_EQ(peer.sends(frame(FrameType::data, 0, kFirstId, std::string(1001, 'd'))),
            Errc::protocol_violation);
  EXPECT_EQ(peer.says_goodbye(), Errc::protocol_violation);
}

TEST_F(HostilePeer, MaySendDataAfterItsOwnCancel) {
  peer_.sends_call(kFirstId, "", /*whole=*/false);
  expect_taken(frame(FrameType::data, 0, kFirstId, "before"));
  expect_taken(encode_cancel(kFirstId, 0, {Errc::cancelled, ""}));
  expect_taken(frame(FrameType::data, 0, kFirstId, "after"));
  expect_taken(frame(FrameType::data, kEnd, kFirstId, ""));
  EXPECT_EQ(peer_.end.session().stats().stray_frames, 2U);
}

TEST_F(HostilePeer, MaySendAReplyAfterOurCancel) {
  const CallId id = session_calls();
  peer_.end.session().cancel(peer_.end.last_ticket());
  expect_taken(reply(id, "", false));
  expect_taken(frame(FrameType::data, kYours, id, "late"));
  EXPECT_EQ(sink_->body, "");
  EXPECT_EQ(peer_.end.session().stats().stray_frames, 2U);
}

TEST_F(HostilePeer, SendsDataOverTheCreditOfTheReply) {
  const CallId id = session_calls();
  sink_->on_data = nullptr;  // consumes nothing
  expect_taken(reply(id, "", false));
  const std::string data = frame(FrameType::data, kYours, id, std::string(16'384, 'd'));
  for (int i = 0; i < 4; ++i) expect_taken(data);
  expect_refused(frame(FrameType::data, kYours, id, "x"), Errc::protocol_violation);
  EXPECT_EQ(sink_->failed_with(), Errc::session_lost);
  EXPECT_EQ(sink_->body.size(), 64U * 1024);
}

TEST_F(HostilePeer, SendsDataOverTheCreditOfTheSession) {
  Limits limits;
  limits.session_window_bytes = 20'000;
  LonePeer peer(Session::Side::dialler, limits);
  peer.end.call(event(), "", peer.now, /*consume=*/false);
  const CallId id = peer.end.last_ticket().id;
  peer.sends(reply(id, "", false));
  const std::string data = frame(FrameType::data, kYours, id, std::string(10'000, 'd'));
  EXPECT_EQ(peer.sends(data), error_code());
  EXPECT_EQ(peer.sends(data), error_code());
  EXPECT_EQ(peer.sends(frame(FrameType::data, kYours, id, "x")), Errc::protocol_violation);
}

TEST_F(HostilePeer, GivesTooMuchCredit) {
  const CallId id = session_calls(std::string(200'000, 'b'));
  expect_taken(encode_credit(id, kYours, 0x7fffffff));
  expect_refused(encode_credit(id, kYours, 1), Errc::protocol_violation);
}

TEST_F(HostilePeer, GivesTooMuchCreditToTheSession) {
  expect_taken(encode_credit(0, 0, 0x7fffffff - 256 * 1024));
  expect_refused(encode_credit(0, 0, 1), Errc::protocol_violation);
}

TEST_F(HostilePeer, GivesCreditOfNothing) {
  expect_refused(encode_credit(0, 0, 0), Errc::malformed_frame);
}

TEST_F(HostilePeer, GivesCreditToACallThatSendsNoBody) {
  expect_refused(encode_credit(session_calls(), kYours, 1), Errc::protocol_violation);
}

TEST_F(HostilePeer, GivesCreditToAReplyThatHasNotBegun) {
  peer_.sends_call(kFirstId);
  expect_refused(encode_credit(kFirstId, 0, 1), Errc::protocol_violation);
}

TEST_F(HostilePeer, AnswersWithBodyBytesButWithoutEnd) {
  expect_refused(reply(session_calls(), "body", false), Errc::protocol_violation);
  EXPECT_EQ(sink_->failed_with(), Errc::session_lost);
}

TEST_F(HostilePeer, AnswersTwiceWhileTheBodyStreams) {
  const CallId id = session_calls();
  expect_taken(reply(id, "", false));
  expect_refused(reply(id, "", true), Errc::protocol_violation);
}

TEST_F(HostilePeer, SendsAnErrorThatDoesNotEnd) {
  const CallId id = session_calls();
  std::string bytes;
  append_error_reply({Errc::overloaded, ""}, id, bytes);
  bytes[5] = 0;  // flags
  expect_refused(bytes, Errc::protocol_violation);
}

TEST_F(HostilePeer, SendsAReplyThatDoesNotParse) {
  expect_refused(frame(FrameType::reply, kEnd, session_calls(), "\xff", 1), Errc::malformed_frame);
}

TEST_F(HostilePeer, SendsDataBeforeTheReply) {
  expect_refused(frame(FrameType::data, kYours, session_calls(), "x"), Errc::protocol_violation);
}

TEST_F(HostilePeer, MayAnswerBeforeTheRequestHasEnded) {
  const CallId id = session_calls(std::string(200'000, 'b'));
  expect_taken(reply(id, "early"));
  EXPECT_TRUE(sink_->answered());
  EXPECT_TRUE(peer_.says().empty()) << "the rest of the body is not sent";
}

TEST_F(HostilePeer, AnswersWhatNobodyAsked) {
  expect_taken(reply(0x00010005, "forged"));
  const CallId id = session_calls();
  expect_taken(reply(id, "right"));
  expect_taken(reply(id, "replayed"));
  expect_taken(reply(id ^ 0x00030000, "of another generation"));
  EXPECT_EQ(sink_->body, "right");
  EXPECT_EQ(peer_.end.session().stats().stray_frames, 3U);
}

TEST_F(HostilePeer, CannotAnswerTheNextCallOfASlotWithAnOldId) {
  const CallId first = session_calls();
  expect_taken(reply(first, "1"));
  const CallId second = session_calls();
  EXPECT_EQ(first & 0xffff, second & 0xffff) << "the slot is used again";
  EXPECT_NE(first, second);
  expect_taken(reply(first, "old"));
  EXPECT_EQ(sink_->endings, 0);
  expect_taken(reply(second, "2"));
  EXPECT_EQ(sink_->body, "2");
}

TEST_F(HostilePeer, FloodsWithFramesThatNameNoCall) {
  const std::string stray = encode_cancel(0x00050005, 0, {Errc::cancelled, ""});
  for (int i = 0; i < 65'536; ++i) ASSERT_EQ(peer_.sends(stray), error_code());
  expect_refused(stray, Errc::protocol_violation);
}

TEST_F(HostilePeer, MaySendAFewStraysForever) {
  const std::string stray = encode_cancel(0x00050005, 0, {Errc::cancelled, ""});
  for (int i = 0; i < 70'000; ++i) {
    peer_.now += 1ms;
    ASSERT_EQ(peer_.sends(stray), error_code()) << i;
    peer_.says();
  }
  EXPECT_EQ(peer_.end.session().stats().stray_frames, 70'000U);
}

TEST_F(HostilePeer, AcknowledgesWhatWasNotSent) {
  session_calls();
  expect_taken(encode_ack(1));
  expect_refused(encode_ack(2), Errc::protocol_violation);
}

TEST_F(HostilePeer, TakesAnAcknowledgementBack) {
  session_calls();
  session_calls();
  expect_taken(encode_ack(2));
  expect_refused(encode_ack(1), Errc::protocol_violation);
}

TEST_F(HostilePeer, SendsControlMessagesThatDoNotParse) {
  for (const FrameType type :
       {FrameType::credit, FrameType::cancel, FrameType::ack, FrameType::goodbye}) {
    LonePeer peer;
    EXPECT_EQ(peer.sends(frame(type, 0, 0, "\x0a\x7f")), Errc::malformed_frame)
        << static_cast<int>(type);
    EXPECT_EQ(peer.says_goodbye(), Errc::malformed_frame);
  }
}

TEST_F(HostilePeer, SaysGoodbyeWithoutAReason) {
  expect_refused(frame(FrameType::goodbye, 0, 0, ""), Errc::malformed_frame);
}

TEST_F(HostilePeer, FloodsWithPingsAndReadsNothing) {
  Limits limits;
  limits.outbound_bytes_max = 10'000;
  LonePeer peer(Session::Side::acceptor, limits);
  const std::string ping = encode_ping(FrameType::ping, "12345678");
  error_code ec;
  int sent = 0;
  for (; !ec && sent < 5000; ++sent) ec = peer.sends(ping);
  EXPECT_EQ(ec, Errc::overloaded);
  EXPECT_LE(sent, 1001);
  EXPECT_EQ(peer.says_goodbye(), Errc::overloaded);
}

TEST_F(HostilePeer, FloodsWithCallsAndReadsNoReply) {
  Limits limits;
  limits.outbound_bytes_max = 10'000;
  LonePeer peer(Session::Side::acceptor, limits);
  int ran = 0;
  peer.end.target.answer = [&](FakeTarget::Received& call) {
    ++ran;
    call.sink->reply({}, std::string(1000, 'r'));
  };
  error_code ec;
  for (CallId slot = 0; !ec && slot < 4096; ++slot) ec = peer.sends_call(kFirstId | slot);
  EXPECT_EQ(ec, Errc::overloaded);
  EXPECT_LE(ran, 10) << "above the bound calls are refused without running";
}

TEST_F(HostilePeer, LeavesNothingReadableAfterAnError) {
  std::string bytes = frame(static_cast<FrameType>(0x42), 0, 0, "x");
  append_call(event(), "", true, kFirstId, peer_.now, bytes);
  expect_refused(bytes, Errc::unknown_frame_type);
  EXPECT_TRUE(peer_.end.target.received.empty());
}

TEST(HostileWindows, MayAnnounceNoneAtAll) {
  Hello hello = LonePeer::default_hello();
  hello.stream_window_bytes = 0;
  hello.session_window_bytes = 0;
  LonePeer peer(Session::Side::dialler, {}, {}, hello);
  peer.end.call(event(), std::string(100'000, 'b'), peer.now);
  const CallId id = peer.end.last_ticket().id;
  EXPECT_EQ(peer.says().size(), 1U) << "the CALL; its body waits for credit";
  EXPECT_EQ(peer.sends(encode_credit(id, kYours, 100)), error_code());
  EXPECT_TRUE(peer.says().empty());
  EXPECT_EQ(peer.sends(encode_credit(0, 0, 50)), error_code());
  const auto said = peer.says();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].payload.size(), 50U);
}

}  // namespace
}  // namespace rp::pipe
