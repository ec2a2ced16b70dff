#include "pipe/core/control.h"

#include <string>

#include <gtest/gtest.h>
#include <proto/pipe.pb.h>

#include "tests/pipe/memory_pipe.h"

namespace rp::pipe {
namespace {

namespace v1 = restpipe::v1;

std::string payload(const std::string& frame) { return frame.substr(kFrameHeaderBytes); }

Hello good_hello() { return test::LonePeer::default_hello(); }

error_code hello_with(void (*change)(v1::Hello&)) {
  v1::Hello m;
  EXPECT_TRUE(m.ParseFromString(payload(encode_hello(good_hello()))));
  change(m);
  const Result<Hello> hello = decode_hello(m.SerializeAsString());
  return hello ? error_code() : hello.error();
}

TEST(ControlTest, CarriesEveryFieldOfHello) {
  Hello hello;
  hello.version_min = 1;
  hello.version_max = 3;
  hello.features = {"resume", "x"};
  hello.node = "node-a";
  hello.software = "restpipe/9";
  hello.frame_bytes_max = 200'000;
  hello.calls_in_flight_max = 65'536;
  hello.stream_window_bytes = 0x7fffffff;
  hello.session_window_bytes = 1;
  hello.heartbeat_interval = std::chrono::milliseconds(1234);
  hello.session_id = std::string(16, 'i');
  hello.resume_secret = std::string(32, 's');
  hello.received_frames = 1ULL << 40;
  const Result<Hello> back = decode_hello(payload(encode_hello(hello)));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->version_min, 1U);
  EXPECT_EQ(back->version_max, 3U);
  EXPECT_EQ(back->features, hello.features);
  EXPECT_EQ(back->node, "node-a");
  EXPECT_EQ(back->software, "restpipe/9");
  EXPECT_EQ(back->frame_bytes_max, 200'000U);
  EXPECT_EQ(back->calls_in_flight_max, 65'536U);
  EXPECT_EQ(back->stream_window_bytes, 0x7fffffffU);
  EXPECT_EQ(back->session_window_bytes, 1U);
  EXPECT_EQ(back->heartbeat_interval.count(), 1234);
  EXPECT_EQ(back->session_id, hello.session_id);
  EXPECT_EQ(back->resume_secret, hello.resume_secret);
  EXPECT_EQ(back->received_frames, 1ULL << 40);
}

TEST(ControlTest, RefusesHelloThatBreaksAFieldRule) {
  EXPECT_EQ(hello_with([](v1::Hello&) {}), error_code());
  const auto refused = [](void (*change)(v1::Hello&)) {
    EXPECT_EQ(hello_with(change), Errc::malformed_frame);
  };
  refused([](v1::Hello& m) { m.set_version_min(0); });
  refused([](v1::Hello& m) { m.set_version_min(2), m.set_version_max(1); });
  refused([](v1::Hello& m) { m.set_calls_in_flight_max(0); });
  refused([](v1::Hello& m) { m.set_calls_in_flight_max(65'537); });
  refused([](v1::Hello& m) { m.set_stream_window_bytes(0x80000000); });
  refused([](v1::Hello& m) { m.set_session_window_bytes(0x80000000); });
  refused([](v1::Hello& m) { m.set_node(std::string(257, 'n')); });
  refused([](v1::Hello& m) { m.set_software(std::string(257, 's')); });
  refused([](v1::Hello& m) { m.set_session_id("15 bytes of id."); });
  refused([](v1::Hello& m) { m.set_resume_secret(std::string(33, 's')); });
  refused([](v1::Hello& m) { m.add_features(std::string(65, 'f')); });
  refused([](v1::Hello& m) {
    for (int i = 0; i < 33; ++i) m.add_features("f");
  });
}

TEST(ControlTest, TakesHelloAtEveryLimit) {
  EXPECT_EQ(hello_with([](v1::Hello& m) {
              m.set_node(std::string(256, 'n'));
              m.set_software(std::string(256, 's'));
              m.set_session_id(std::string(16, '\0'));
              m.set_resume_secret(std::string(32, '\xff'));
              for (int i = 0; i < 32; ++i) m.add_features(std::string(64, 'f'));
            }),
            error_code());
}

TEST(ControlTest, IgnoresFieldsOfALaterVersion) {
  std::string bytes = payload(encode_hello(good_hello()));
  bytes += std::string("\xfa\x7f\x03new", 6);  // field 2047, a string
  EXPECT_TRUE(decode_hello(bytes));
}

TEST(ControlTest, RefusesMessagesThatDoNotParse) {
  const std::string cut =
      "\x0a\x05"
      "ab";
  EXPECT_EQ(decode_hello(cut).error(), Errc::malformed_frame);
  EXPECT_EQ(decode_goodbye(cut).error(), Errc::malformed_frame);
  EXPECT_EQ(decode_ack("\x08").error(), Errc::malformed_frame);
  EXPECT_EQ(decode_credit("\x08\xff").error(), Errc::malformed_frame);
  EXPECT_EQ(decode_cancel(cut).error(), Errc::malformed_frame);
}

TEST(ControlTest, CarriesTheReasonOfCancelAndGoodbye) {
  const Result<Failure> cancel =
      decode_cancel(payload(encode_cancel(1, 0, {Errc::deadline_exceeded, "late"})));
  ASSERT_TRUE(cancel);
  EXPECT_EQ(cancel->code, Errc::deadline_exceeded);
  EXPECT_EQ(cancel->detail, "late");
  const Result<Goodbye> goodbye = decode_goodbye(payload(encode_goodbye(
      {.reason = {Errc::replaced, "why"}, .drain = true, .retry_after = std::chrono::seconds(2)})));
  ASSERT_TRUE(goodbye);
  EXPECT_EQ(goodbye->reason.code, Errc::replaced);
  EXPECT_EQ(goodbye->reason.detail, "why");
  EXPECT_TRUE(goodbye->drain);
  EXPECT_EQ(goodbye->retry_after, std::chrono::seconds(2));
}

TEST(ControlTest, CutsADetailAt1024Bytes) {
  const std::string detail(5000, 'd');
  const Result<Failure> cancel =
      decode_cancel(payload(encode_cancel(1, 0, {Errc::handler_failed, detail})));
  ASSERT_TRUE(cancel);
  EXPECT_EQ(cancel->detail, detail.substr(0, 1024));
}

TEST(ControlTest, RefusesADetailOver1024Bytes) {
  v1::Cancel m;
  m.mutable_reason()->set_code(1);
  m.mutable_reason()->set_detail(std::string(1025, 'd'));
  EXPECT_EQ(decode_cancel(m.SerializeAsString()).error(), Errc::malformed_frame);
  EXPECT_EQ(decode_goodbye(m.SerializeAsString()).error(), Errc::malformed_frame);
}

TEST(ControlTest, RefusesAReasonWithoutANumber) {
  EXPECT_EQ(decode_cancel("").error(), Errc::malformed_frame);
  EXPECT_EQ(decode_goodbye("").error(), Errc::malformed_frame);
  v1::Goodbye m;
  m.mutable_reason()->set_detail("no code");
  EXPECT_EQ(decode_goodbye(m.SerializeAsString()).error(), Errc::malformed_frame);
  m.mutable_reason()->set_code(65'536);
  EXPECT_EQ(decode_goodbye(m.SerializeAsString()).error(), Errc::malformed_frame);
}

TEST(ControlTest, PassesOnAReasonOfALaterVersion) {
  v1::Goodbye m;
  m.mutable_reason()->set_code(65'535);
  const Result<Goodbye> goodbye = decode_goodbye(m.SerializeAsString());
  ASSERT_TRUE(goodbye);
  EXPECT_EQ(static_cast<int>(goodbye->reason.code), 65'535);
  EXPECT_EQ(name(goodbye->reason.code), "unknown");
}

TEST(ControlTest, RefusesCreditOfNothingAndCreditOverTheWindowLimit) {
  EXPECT_EQ(decode_credit("").error(), Errc::malformed_frame);
  EXPECT_EQ(decode_credit(payload(encode_credit(0, 0, 0))).error(), Errc::malformed_frame);
  EXPECT_EQ(decode_credit(payload(encode_credit(0, 0, 0x80000000))).error(), Errc::malformed_frame);
  EXPECT_EQ(decode_credit(payload(encode_credit(0, 0, 0x7fffffff))).value(), 0x7fffffffU);
}

TEST(ControlTest, CountsAcknowledgedFramesIn64Bits) {
  EXPECT_EQ(decode_ack(payload(encode_ack(1ULL << 63))).value(), 1ULL << 63);
  EXPECT_EQ(decode_ack("").value(), 0U);
}

}  // namespace
}  // namespace rp::pipe
