#include "pipe/core/frame.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "pipe/core/limits.h"
#include "tests/pipe/memory_pipe.h"

namespace rp::pipe {
namespace {

using test::frame;

/// A frame as it was cut, for comparing.
struct Cut {
  int type;
  int flags;
  int head_bytes;
  CallId call;
  std::string payload;
  friend bool operator==(const Cut&, const Cut&) = default;
};

Cut cut(const Frame& f) {
  return {f.header.type, f.header.flags, f.header.head_bytes, f.header.call,
          std::string(f.payload)};
}

void drain(FrameDecoder& decoder, std::vector<Cut>& cuts) {
  while (auto next = decoder.next()) {
    ASSERT_TRUE(*next) << next->error().message();
    cuts.push_back(cut(**next));
  }
}

error_code refusal(const std::string& bytes) {
  FrameDecoder decoder(Limits::kFrameBytesMax);
  decoder.push(bytes);
  const auto next = decoder.next();
  if (!next || *next) return {};
  return next->error();
}

/// Frames of every kind, and what they are cut into.
std::string sample(std::vector<Cut>* cuts) {
  std::string bytes;
  const auto add = [&](FrameType type, std::uint8_t flags, CallId call, const std::string& payload,
                       std::uint16_t head_bytes) {
    bytes += frame(type, flags, call, payload, head_bytes);
    cuts->push_back({static_cast<int>(type), flags, head_bytes, call, payload});
  };
  add(FrameType::hello, 0, 0, "\x08\x01", 0);
  add(FrameType::call, frame_flag::end, 0x00010000, "headbody", 4);
  add(FrameType::ack, 0, 0, "", 0);
  add(FrameType::data, frame_flag::yours, 0xfffefffd, std::string(16384, 'd'), 0);
  add(FrameType::data, frame_flag::end, 1, "", 0);
  add(FrameType::reply, 0, 0x10000, std::string(300, 'r'), 300);
  add(FrameType::ping, 0, 0, "12345678", 0);
  add(static_cast<FrameType>(0x7e), frame_flag::ignorable, 9, "future", 3);
  return bytes;
}

TEST(FrameHeaderTest, IsTwelveBytesInNetworkOrder) {
  char bytes[kFrameHeaderBytes];
  encode_header({.payload_bytes = 0x01020304,
                 .type = 0x05,
                 .flags = 0x06,
                 .head_bytes = 0x0708,
                 .call = 0x090a0b0c},
                bytes);
  EXPECT_EQ(std::string(bytes, sizeof bytes), "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c");
  const FrameHeader back = decode_header("\xff\xfe\xfd\xfc\x82\x81\xf0\xf1\x80\x7f\x00\xff");
  EXPECT_EQ(back.payload_bytes, 0xfffefdfcU);
  EXPECT_EQ(back.type, 0x82);
  EXPECT_EQ(back.flags, 0x81);
  EXPECT_EQ(back.head_bytes, 0xf0f1);
  EXPECT_EQ(back.call, 0x807f00ffU);
}

TEST(FrameDecoderTest, CutsAStreamIntoItsFrames) {
  std::vector<Cut> expected;
  const std::string bytes = sample(&expected);
  FrameDecoder decoder(Limits::kFrameBytesMax);
  std::vector<Cut> cuts;
  decoder.push(bytes);
  drain(decoder, cuts);
  EXPECT_EQ(cuts, expected);
  EXPECT_EQ(decoder.buffered_bytes(), 0U);
}

TEST(FrameDecoderTest, CutsTheSameWhereverTheBytesAreSplit) {
  std::vector<Cut> expected;
  const std::string bytes = sample(&expected);
  // Every first split, then pieces of one, of a prime and of most of a frame.
  for (const std::size_t piece : {1UL, 2UL, 7UL, 11UL, 12UL, 13UL, 4099UL, 16390UL}) {
    for (std::size_t first = 0; first < 24; ++first) {
      FrameDecoder decoder(Limits::kFrameBytesMax);
      std::vector<Cut> cuts;
      std::size_t at = 0;
      for (std::size_t n = first; at < bytes.size(); n = piece) {
        // A copy of exact size, so that a read beyond it is seen by the sanitizer.
        const std::size_t size = std::min(n, bytes.size() - at);
        const std::vector<char> exact(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                                      bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
        decoder.push({exact.data(), exact.size()});
        drain(decoder, cuts);
        at += size;
      }
      ASSERT_EQ(cuts, expected) << "first " << first << ", pieces of " << piece;
    }
  }
}

TEST(FrameDecoderTest, HoldsOnlyBytesThatHaveArrived) {
  FrameDecoder decoder(Limits::kFrameBytesMax);
  const std::string announced =
      frame(FrameType::call, 0, 1, std::string(65536 + 60000, 'x'), 60000);
  decoder.push(std::string_view(announced).substr(0, 20));
  EXPECT_FALSE(decoder.next());
  EXPECT_EQ(decoder.buffered_bytes(), 20U);
}

TEST(FrameDecoderTest, TakesTheLongestFrameOfEveryType) {
  const std::string longest = frame(FrameType::call, 0, 1, std::string(131071, 'x'), 65535);
  EXPECT_EQ(refusal(longest), error_code());
  EXPECT_EQ(refusal(frame(FrameType::data, 0, 1, std::string(16384, 'x'))), error_code());
  EXPECT_EQ(refusal(frame(FrameType::hello, 0, 0, std::string(131071, 'x'))), error_code());
}

TEST(FrameDecoderTest, RefusesALengthBombOnItsHeaderAlone) {
  FrameDecoder decoder(Limits::kFrameBytesMax);
  const std::string header("\xff\xff\xff\xff\x01\x00\x00\x00\x00\x01\x00\x00", kFrameHeaderBytes);
  decoder.push(header);
  const auto next = decoder.next();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->error(), Errc::frame_too_large);
  EXPECT_EQ(decoder.buffered_bytes(), 0U);
}

TEST(FrameDecoderTest, RefusesALengthBombThatComesByteByByte) {
  FrameDecoder decoder(Limits::kFrameBytesMax);
  const std::string header("\x00\x02\x00\x00\x01\x00\xff\xff\x00\x01\x00\x00", kFrameHeaderBytes);
  for (std::size_t i = 0; i + 1 < header.size(); ++i) {
    decoder.push(std::string_view(header).substr(i, 1));
    ASSERT_FALSE(decoder.next());
  }
  decoder.push(std::string_view(header).substr(11));
  const auto next = decoder.next();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->error(), Errc::frame_too_large);
}

TEST(FrameDecoderTest, SaysAgainWhatWasWrongAndReadsNothingMore) {
  FrameDecoder decoder(Limits::kFrameBytesMax);
  const std::string bad = frame(FrameType::ping, 0, 0, "1");
  const std::string good = frame(FrameType::ping, 0, 0, "12345678");
  decoder.push(bad);
  EXPECT_EQ(decoder.next()->error(), Errc::malformed_frame);
  decoder.push(good);
  EXPECT_EQ(decoder.next()->error(), Errc::malformed_frame);
}

TEST(FrameDecoderTest, RefusesAnInlineBodyOverTheLimit) {
  EXPECT_EQ(refusal(frame(FrameType::call, 0, 1, std::string(100 + 65536, 'x'), 100)),
            error_code());
  EXPECT_EQ(refusal(frame(FrameType::call, 0, 1, std::string(100 + 65537, 'x'), 100)),
            Errc::frame_too_large);
  EXPECT_EQ(refusal(frame(FrameType::reply, 0, 1, std::string(65537, 'x'), 0)),
            Errc::frame_too_large);
}

TEST(FrameDecoderTest, RefusesDataOverTheLimit) {
  EXPECT_EQ(refusal(frame(FrameType::data, 0, 1, std::string(16385, 'x'))), Errc::frame_too_large);
}

TEST(FrameDecoderTest, RefusesDataWithoutBytesThatDoesNotEnd) {
  EXPECT_EQ(refusal(frame(FrameType::data, 0, 1, "")), Errc::malformed_frame);
  EXPECT_EQ(refusal(frame(FrameType::data, frame_flag::yours, 1, "")), Errc::malformed_frame);
}

TEST(FrameDecoderTest, RefusesAHeadLongerThanItsPayload) {
  EXPECT_EQ(refusal(frame(FrameType::call, 0, 1, "four", 5)), Errc::malformed_frame);
  EXPECT_EQ(refusal(frame(FrameType::reply, 0, 1, "", 1)), Errc::malformed_frame);
}

TEST(FrameDecoderTest, RefusesAHeadWhereThereIsNone) {
  for (const FrameType type : {FrameType::data, FrameType::credit, FrameType::cancel}) {
    EXPECT_EQ(refusal(frame(type, 0, 1, "xx", 1)), Errc::malformed_frame) << static_cast<int>(type);
  }
  for (const FrameType type : {FrameType::hello, FrameType::ack, FrameType::goodbye}) {
    EXPECT_EQ(refusal(frame(type, 0, 0, "xx", 1)), Errc::malformed_frame) << static_cast<int>(type);
  }
}

TEST(FrameDecoderTest, RefusesACallIdOnFramesOfTheSession) {
  for (const FrameType type : {FrameType::hello, FrameType::ack, FrameType::goodbye}) {
    EXPECT_EQ(refusal(frame(type, 0, 7, "xx")), Errc::malformed_frame) << static_cast<int>(type);
  }
  EXPECT_EQ(refusal(frame(FrameType::ping, 0, 7, "12345678")), Errc::malformed_frame);
  EXPECT_EQ(refusal(frame(FrameType::pong, 0, 7, "12345678")), Errc::malformed_frame);
}

TEST(FrameDecoderTest, RefusesPingsThatAreNotEightBytes) {
  for (const char* payload : {"", "1234567", "123456789"}) {
    EXPECT_EQ(refusal(frame(FrameType::ping, 0, 0, payload)), Errc::malformed_frame);
    EXPECT_EQ(refusal(frame(FrameType::pong, 0, 0, payload)), Errc::malformed_frame);
  }
}

}  // namespace
}  // namespace rp::pipe
