#include "pipe/core/greeting.h"

#include <string>

#include <gtest/gtest.h>

namespace rp::pipe {
namespace {

Hello good_hello() { return make_hello({.node = "node-a", .software = "restpipe/test"}); }

Errc told(const Greeting& greeting) {
  FrameDecoder decoder(Limits::kFrameBytesMax);
  decoder.push(greeting.last_word());
  const auto frame = decoder.next();
  if (!frame || !*frame) return {};
  const auto goodbye = decode_goodbye((*frame)->payload);
  return goodbye ? goodbye->reason.code : Errc{};
}

TEST(GreetingTest, TakesHelloAndLeavesWhatComesBehindIt) {
  Greeting greeting;
  const std::string bytes = encode_hello(good_hello()) + "the rest";
  EXPECT_FALSE(greeting.receive(bytes));
  EXPECT_TRUE(greeting.is_complete());
  EXPECT_EQ(greeting.peer().node, "node-a");
  EXPECT_TRUE(has_feature(greeting.peer(), kFeatureResume));
  EXPECT_EQ(greeting.behind(), "the rest");
  EXPECT_EQ(greeting.last_word(), "");
}

TEST(GreetingTest, TakesHelloInTwoPiecesSplitAnywhere) {
  const std::string bytes = encode_hello(good_hello()) + "x";
  for (std::size_t at = 1; at + 1 < bytes.size(); ++at) {
    Greeting greeting;
    EXPECT_FALSE(greeting.receive(bytes.substr(0, at)));
    EXPECT_FALSE(greeting.is_complete());
    const std::string rest = bytes.substr(at);
    EXPECT_FALSE(greeting.receive(rest));
    EXPECT_TRUE(greeting.is_complete());
    EXPECT_EQ(greeting.behind(), "x");
  }
}

TEST(GreetingTest, RefusesAnyOtherFirstFrame) {
  for (const std::string& frame : {encode_ack(1), encode_ping(FrameType::ping, "12345678"),
                                   std::string("\0\0\0\0\x03\1\0\0\0\1\0\0", 12),
                                   std::string("\0\0\0\0\x1f\x80\0\0\0\0\0\0", 12)}) {
    Greeting greeting;
    EXPECT_EQ(greeting.receive(frame), Errc::protocol_violation);
    EXPECT_EQ(told(greeting), Errc::protocol_violation);
    EXPECT_FALSE(greeting.is_complete());
  }
}

TEST(GreetingTest, RefusesALengthBombBeforeItsPayload) {
  Greeting greeting;
  EXPECT_EQ(greeting.receive(std::string("\xff\xff\xff\xff\x10\0\0\0\0\0\0\0", 12)),
            Errc::frame_too_large);
  EXPECT_EQ(told(greeting), Errc::frame_too_large);
}

TEST(GreetingTest, RefusesWhatIsNoHello) {
  Greeting greeting;
  EXPECT_EQ(greeting.receive(std::string("\0\0\0\2\x10\0\0\0\0\0\0\0\xff\xff", 14)),
            Errc::malformed_frame);
  EXPECT_EQ(told(greeting), Errc::malformed_frame);
}

TEST(GreetingTest, RefusesVersionsThatAreNotShared) {
  Hello later = good_hello();
  later.version_min = kWireVersion + 1;
  later.version_max = kWireVersion + 3;
  Greeting greeting;
  EXPECT_EQ(greeting.receive(encode_hello(later)), Errc::version_mismatch);
  EXPECT_EQ(told(greeting), Errc::version_mismatch);
  EXPECT_NE(greeting.detail().find("version 1"), std::string::npos);
}

TEST(GreetingTest, TakesALaterVersionThatSpeaksOursToo) {
  Hello later = good_hello();
  later.version_max = kWireVersion + 3;
  Greeting greeting;
  EXPECT_FALSE(greeting.receive(encode_hello(later)));
  EXPECT_TRUE(greeting.is_complete());
}

TEST(GreetingTest, RefusesFramesThatAreTooShortForVersion1) {
  Hello small = good_hello();
  small.frame_bytes_max = Limits::kFrameBytesMax - 1;
  Greeting greeting;
  EXPECT_EQ(greeting.receive(encode_hello(small)), Errc::protocol_violation);
}

TEST(GreetingTest, HearsAGoodbyeAndHasNothingToSayToIt) {
  Greeting greeting;
  const Goodbye goodbye{{Errc::draining, "later"}, /*drain=*/true, std::chrono::seconds(2)};
  EXPECT_EQ(greeting.receive(encode_goodbye(goodbye)), Errc::draining);
  EXPECT_EQ(greeting.detail(), "later");
  EXPECT_EQ(greeting.retry_after(), std::chrono::seconds(2));
  EXPECT_EQ(greeting.last_word(), "");
}

TEST(GreetingTest, TellsAPeerThatSaidNothing) {
  Greeting greeting;
  EXPECT_EQ(greeting.timed_out(), Errc::handshake_timeout);
  EXPECT_EQ(told(greeting), Errc::handshake_timeout);
}

}  // namespace
}  // namespace rp::pipe
