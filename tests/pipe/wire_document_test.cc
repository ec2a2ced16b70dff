#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "pipe/core/control.h"
#include "pipe/core/head.h"
#include "pipe/core/limits.h"
#include "pipe/core/outbox.h"

/// docs/wire.md is the specification; what it says in numbers is compared with what the code does.
namespace rp::pipe {
namespace {

using namespace std::chrono_literals;

std::string section(const std::string& title) {
  std::ifstream file(RP_WIRE_DOCUMENT);
  EXPECT_TRUE(file) << RP_WIRE_DOCUMENT;
  std::stringstream text;
  text << file.rdbuf();
  const std::string all = text.str();
  const std::size_t at = all.find("\n## " + title + "\n");
  EXPECT_NE(at, std::string::npos) << title;
  return all.substr(at, all.find("\n## ", at + 4) - at);
}

TEST(WireDocumentTest, ListsEveryErrorWithItsNumberAndName) {
  std::map<int, std::string> documented;
  const std::string text = section("Errors");
  const std::regex row(R"(\n\| (\d+) \| `([a-z_]+)` \|)");
  for (std::sregex_iterator it(text.begin(), text.end(), row), end; it != end; ++it) {
    documented[std::stoi((*it)[1])] = (*it)[2];
  }
  std::map<int, std::string> known;
  for (int number = 1; number < 1000; ++number) {
    const std::string_view word = name(static_cast<Errc>(number));
    if (word != "unknown") known[number] = word;
  }
  EXPECT_EQ(documented, known);
}

TEST(WireDocumentTest, NamesOnlyErrorsThatExist) {
  std::set<std::string> known;
  for (int number = 1; number < 1000; ++number) {
    known.insert(std::string(name(static_cast<Errc>(number))));
  }
  const std::string text = section("Bad input");
  const std::regex last_cell(R"(\| `([a-z_]+)` \|\n)");
  int rows = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), last_cell), end; it != end; ++it) {
    EXPECT_EQ(known.count((*it)[1]), 1U) << (*it)[1];
    ++rows;
  }
  EXPECT_GT(rows, 20);
}

TEST(WireDocumentTest, StatesTheLimitsOfTheCode) {
  const std::string hello = section("HELLO");
  const Limits limits;
  const auto with_commas = [](std::size_t number) {
    std::string text = std::to_string(number);
    for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
    return text;
  };
  EXPECT_NE(hello.find("| " + with_commas(Limits::kFrameBytesMax) + " |"), std::string::npos);
  EXPECT_NE(hello.find("| " + with_commas(limits.calls_in_flight_max) + " |"), std::string::npos);
  EXPECT_NE(hello.find("| " + with_commas(limits.stream_window_bytes) + " |"), std::string::npos);
  EXPECT_NE(hello.find("| " + with_commas(limits.session_window_bytes) + " |"), std::string::npos);
  EXPECT_NE(section("Calls").find(with_commas(limits.stray_frames_max)), std::string::npos);
  EXPECT_NE(section("Bodies").find(with_commas(Limits::kInlineBodyBytesMax)), std::string::npos);
  EXPECT_NE(section("Bodies").find(with_commas(Limits::kDataFrameBytesMax)), std::string::npos);
}

/// All hexadecimal digits of the section's indented lines, without blanks.
std::string vectors() {
  std::istringstream lines(section("Golden vectors"));
  std::string digits;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("    ", 0) != 0) continue;
    for (const char c : line) {
      if (c != ' ') digits += c;
    }
  }
  return digits;
}

class GoldenVectors : public ::testing::Test {
 protected:
  /// The next vector of the document must be exactly these bytes.
  void expect(const std::string& bytes) {
    std::ostringstream hex;
    for (const char c : bytes) {
      constexpr char kDigits[] = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(c);
      hex << kDigits[byte >> 4] << kDigits[byte & 15];
    }
    EXPECT_EQ(rest_.substr(0, hex.str().size()), hex.str());
    rest_.erase(0, hex.str().size());
  }
  std::string rest_ = vectors();
};

TEST_F(GoldenVectors, AreWhatTheEncoderMakes) {
  constexpr Clock::time_point kNow{};
  Hello hello;
  hello.node = "node-a";
  hello.software = "restpipe/0.1.0";
  const Limits limits;
  hello.calls_in_flight_max = limits.calls_in_flight_max;
  hello.stream_window_bytes = limits.stream_window_bytes;
  hello.session_window_bytes = limits.session_window_bytes;
  hello.heartbeat_interval = Heartbeat{}.interval;
  expect(encode_hello(hello));

  Event get;
  get.verb = "get";
  get.noun = "cat//hello /world";
  get.request_id = "r-1";
  get.deadline = kNow + 20s;
  std::string frame;
  append_call(get, "", true, 0x00010000, kNow, frame);
  expect(frame);

  Event post;
  post.verb = "post";
  post.noun = "time/utc";
  post.query = "a=1";
  post.content_type = "text/plain";
  post.headers = {{"x-a", "b"}};
  post.request_id = "r-2";
  frame.clear();
  append_call(post, "hi", true, 0x00020001, kNow, frame);
  expect(frame);

  ReplyHead reply;
  reply.content_type = "text/plain";
  frame.clear();
  append_reply(reply, "hello /world", true, 0x00010000, frame);
  expect(frame);
  reply.body_bytes = 70'000;
  frame.clear();
  append_reply(reply, "", false, 0x00010000, frame);
  expect(frame);
  frame.clear();
  append_error_reply({Errc::overloaded, "busy"}, 0x00010000, frame);
  expect(frame);

  Outbox outbox(100, 1000);
  SendStream stream(0x00010000, frame_flag::yours, 100, 0);
  outbox.push(stream, "abc", true);
  frame.clear();
  outbox.produce(frame, 100);
  expect(frame);

  expect(encode_credit(0x00010000, 0, 131'072));
  expect(encode_credit(0x00010000, frame_flag::yours, 131'072));
  expect(encode_credit(0, 0, 8'388'608));
  expect(encode_cancel(0x00010000, 0, {Errc::cancelled, ""}));
  expect(encode_cancel(0x00010000, frame_flag::yours, {Errc::handler_failed, "it broke"}));
  expect(encode_ack(300));
  const std::string ping("\x01\0\0\0\0\0\0\0", 8);
  expect(encode_ping(FrameType::ping, ping));
  expect(encode_ping(FrameType::pong, ping));
  expect(encode_goodbye({.reason = {Errc::stopped, "bye"}, .drain = true}));
  expect(encode_goodbye({.reason = {Errc::replaced, "bye"}, .retry_after = 2s}));
  EXPECT_EQ(rest_, "") << "a vector in docs/wire.md that no code makes";
}

}  // namespace
}  // namespace rp::pipe
