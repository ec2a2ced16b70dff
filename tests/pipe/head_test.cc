#include "pipe/core/head.h"

#include <functional>
#include <string>

#include <gtest/gtest.h>
#include <proto/pipe.pb.h>

#include "pipe/core/limits.h"
#include "tests/pipe/memory_pipe.h"

namespace rp::pipe {
namespace {

namespace v1 = restpipe::v1;
using test::decoded_call;
using test::frames;
using namespace std::chrono_literals;

constexpr Clock::time_point kNow{std::chrono::hours(5)};

Event full_event() {
  Event e;
  e.verb = "post";
  e.noun = "cat//hello /w\xc3\xb6rld";
  e.query = "a=1&b=%20";
  e.content_type = "application/json";
  e.headers = {{"x-one", "1"}, {"x-two", "two\twords \xff"}, {"x-one", ""}};
  e.request_id = "0f-~!";
  e.deadline = kNow + 1500ms;
  return e;
}

test::SentFrame call_frame(const Event& e, std::string_view body, bool end) {
  std::string bytes;
  append_call(e, body, end, 0x70003, kNow, bytes);
  return frames(bytes).at(0);
}

/// Lengthens the last header until one byte more would be refused.
template <class Head>
void fill_up(Head& head) {
  std::string& value = head.headers.back().value;
  for (const std::size_t step : {1024UL, 32UL, 1UL}) {
    while (check(head).empty()) value.append(step, 'v');
    value.resize(value.size() - step);
  }
  EXPECT_LT(value.size(), 8192U) << "the sum is to be the limit, not the one value";
}

/// What the receiver says of a head that differs from a good one by `change`.
error_code call_with(const std::function<void(v1::CallHead&)>& change) {
  v1::CallHead m;
  EXPECT_TRUE(m.ParseFromString(std::string(call_frame(full_event(), "", true).head())));
  change(m);
  const Result<Event> event = decoded_call(m.SerializeAsString(), kNow);
  return event ? error_code() : event.error();
}

TEST(CallHeadTest, CarriesEveryField) {
  const Event sent = full_event();
  const test::SentFrame frame = call_frame(sent, "the body", true);
  EXPECT_EQ(frame.type(), FrameType::call);
  EXPECT_EQ(frame.header.flags, frame_flag::end);
  EXPECT_EQ(frame.header.call, 0x70003U);
  EXPECT_EQ(frame.body(), "the body");
  const Result<Event> got = decoded_call(frame.head(), kNow + 10s);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->verb, sent.verb);
  EXPECT_EQ(got->noun, sent.noun);
  EXPECT_EQ(got->query, sent.query);
  EXPECT_EQ(got->content_type, sent.content_type);
  EXPECT_EQ(got->headers, sent.headers);
  EXPECT_EQ(got->request_id, sent.request_id);
  EXPECT_EQ(got->deadline, kNow + 10s + 1500ms) << "the time left counts from the arrival";
}

TEST(CallHeadTest, LeavesNothingOfTheCallBefore) {
  (void)decoded_call(call_frame(full_event(), "", true).head(), kNow);
  const Result<Event> got = decoded_call(call_frame(test::event("x"), "", true).head(), kNow);
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->headers.empty());
  EXPECT_EQ(got->query, "");
  EXPECT_EQ(got->content_type, "");
  EXPECT_EQ(got->deadline, Clock::time_point::max());
}

TEST(CallHeadTest, SaysTheTimeLeftRoundedUpAndNeverAsNone) {
  const auto arrives = [](Clock::duration left) {
    Event e = test::event();
    e.deadline = kNow + left;
    return decoded_call(call_frame(e, "", true).head(), kNow)->deadline - kNow;
  };
  EXPECT_EQ(arrives(1ms), 1ms);
  EXPECT_EQ(arrives(1ms + 1ns), 2ms);
  EXPECT_EQ(arrives(1ns), 1ms);
  EXPECT_EQ(arrives(0ms), 1ms) << "a deadline that is over must not become none";
  EXPECT_EQ(arrives(-5s), 1ms);
}

TEST(CallHeadTest, TakesAnAbsurdTimeLeftAsNone) {
  v1::CallHead m;
  m.set_verb("get");
  m.set_timeout_ms(~0ULL);
  const Result<Event> got = decoded_call(m.SerializeAsString(), kNow);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->deadline, Clock::time_point::max());
}

TEST(CallHeadTest, RefusesEachFieldBeyondItsRule) {
  EXPECT_EQ(call_with([](v1::CallHead&) {}), error_code());
  const auto refused = [](const char* what, const std::function<void(v1::CallHead&)>& change) {
    EXPECT_EQ(call_with(change), Errc::malformed_frame) << what;
  };
  for (const char* verb : {"", "GET", "head", "options", "get ", "gett"}) {
    refused(verb, [&](v1::CallHead& m) { m.set_verb(verb); });
  }
  refused("noun length", [](v1::CallHead& m) { m.set_noun(std::string(16385, 'n')); });
  for (const char control : {'\0', '\n', '\r', '\t', '\x1b', '\x7f'}) {
    refused("noun control", [&](v1::CallHead& m) { m.set_noun(std::string(1, control)); });
    refused("query control", [&](v1::CallHead& m) { m.set_query(std::string(1, control)); });
  }
  refused("query length", [](v1::CallHead& m) { m.set_query(std::string(16385, 'q')); });
  refused("type length", [](v1::CallHead& m) { m.set_content_type(std::string(1025, 't')); });
  refused("type control", [](v1::CallHead& m) { m.set_content_type("text/plain\r\nX: y"); });
  refused("id length", [](v1::CallHead& m) { m.set_request_id(std::string(129, 'i')); });
  for (const char* id : {" ", "a b", "a\n", "\x7f", "\xc3\xa9"}) {
    refused("id", [&](v1::CallHead& m) { m.set_request_id(id); });
  }
}

TEST(CallHeadTest, RefusesHeadersBeyondTheirRules) {
  const auto refused = [](const std::string& name, const std::string& value) {
    EXPECT_EQ(call_with([&](v1::CallHead& m) {
                v1::Header* h = m.add_headers();
                h->set_name(name);
                h->set_value(value);
              }),
              Errc::malformed_frame)
        << name;
  };
  for (const char* name : {"", "X-Upper", "a b", "a:", "a\r", "a(", "\xc3\xa9", "a/b", "a,b"}) {
    refused(name, "v");
  }
  refused(std::string(129, 'n'), "v");
  refused("x", std::string(8193, 'v'));
  for (const char control : {'\0', '\n', '\r', '\x01', '\x7f'}) {
    refused("x", std::string(1, control));
  }
  EXPECT_EQ(call_with([](v1::CallHead& m) {
              while (m.headers_size() < 65) m.add_headers()->set_name("x");
            }),
            Errc::malformed_frame);
}

TEST(CallHeadTest, RefusesAFloodOfEmptyHeaders) {
  std::string head;
  while (head.size() + 2 <= Limits::kHeadBytesMax) head += std::string("\x2a\x00", 2);
  EXPECT_EQ(decoded_call(head, kNow).error(), Errc::malformed_frame);
}

TEST(CallHeadTest, TakesEachFieldAtItsLimit) {
  EXPECT_EQ(call_with([](v1::CallHead& m) {
              m.set_noun(std::string(16384, 'n'));
              m.set_query(std::string(16384, 'q'));
              m.set_content_type(std::string(1024, 't'));
              m.set_request_id(std::string(128, 'i'));
              m.clear_headers();
              v1::Header* h = m.add_headers();
              h->set_name(std::string(128, 'n'));
              h->set_value(std::string(8192, 'v'));
              while (m.headers_size() < 64) m.add_headers()->set_name("!#$%&'*+-.^_`|~09az");
            }),
            error_code());
}

TEST(CallHeadTest, TakesOnlyWellFormedUtf8) {
  struct Case {
    const char* bytes;
    bool good;
  };
  const Case cases[] = {
      {"\xc2\x80", true},          {"\xdf\xbf", true},          {"\xe0\xa0\x80", true},
      {"\xed\x9f\xbf", true},      {"\xee\x80\x80", true},      {"\xef\xbf\xbf", true},
      {"\xf0\x90\x80\x80", true},  {"\xf4\x8f\xbf\xbf", true},  {"\x80", false},
      {"\xc0\x80", false},         {"\xc1\xbf", false},         {"\xc2", false},
      {"\xc2\x41", false},         {"\xe0\x9f\xbf", false},     {"\xe1\x80", false},
      {"\xed\xa0\x80", false},     {"\xed\xbf\xbf", false},     {"\xf0\x8f\xbf\xbf", false},
      {"\xf4\x90\x80\x80", false}, {"\xf5\x80\x80\x80", false}, {"\xff", false},
      {"\xf0\x9f\x98", false},     {"a\xe2\x82", false},        {"\xe2\x82\xac\xe2", false},
  };
  for (const Case& c : cases) {
    Event e = test::event(c.bytes);
    EXPECT_EQ(check(e).empty(), c.good) << c.bytes << ": the sender";
    // The same bytes from a peer that does not check what it sends: field 1 "get", field 2 noun.
    std::string head("\x0a\x03get\x12", 6);
    head += static_cast<char>(std::string(c.bytes).size());
    head += c.bytes;
    EXPECT_EQ(static_cast<bool>(decoded_call(head, kNow)), c.good) << c.bytes << ": the receiver";
  }
}

TEST(CallHeadTest, SaysWhichRuleAnEventBreaks) {
  const auto complaint = [](const std::function<void(Event&)>& change) {
    Event e = full_event();
    change(e);
    return check(e);
  };
  EXPECT_EQ(complaint([](Event&) {}), "");
  EXPECT_NE(complaint([](Event& e) { e.verb = "head"; }).find("verb"), std::string::npos);
  EXPECT_NE(complaint([](Event& e) { e.noun = "a\nb"; }).find("noun"), std::string::npos);
  EXPECT_NE(complaint([](Event& e) { e.noun = "\xff"; }).find("UTF-8"), std::string::npos);
  EXPECT_NE(complaint([](Event& e) { e.query = std::string(1, '\0'); }).find("query"),
            std::string::npos);
  EXPECT_NE(complaint([](Event& e) { e.request_id = "a b"; }).find("request id"),
            std::string::npos);
  EXPECT_NE(complaint([](Event& e) {
              e.headers.assign(65, {"x", "y"});
            }).find("64 headers"),
            std::string::npos);
  EXPECT_NE(complaint([](Event& e) {
              e.headers.assign(9, {"x", std::string(8192, 'v')});
            }).find("exceed 64 KiB"),
            std::string::npos);
}

TEST(CallHeadTest, FitsItsSixteenBitLengthWheneverCheckPasses) {
  Event e = full_event();
  e.noun = std::string(16384, 'n');
  e.query = std::string(16384, 'q');
  e.content_type = std::string(1024, 't');
  e.request_id = std::string(128, 'i');
  e.headers.assign(3, {std::string(128, 'n'), std::string(8192, 'v')});
  e.headers.push_back({"fill", ""});
  fill_up(e);
  ASSERT_EQ(check(e), "");
  const test::SentFrame frame = call_frame(e, "", true);
  EXPECT_GT(frame.header.head_bytes, 60'000);
  EXPECT_TRUE(decoded_call(frame.head(), kNow));
}

test::SentFrame reply_frame(const ReplyHead& head, std::string_view body, bool end) {
  std::string bytes;
  append_reply(head, body, end, 0x10000, bytes);
  return frames(bytes).at(0);
}

TEST(ReplyHeadTest, CarriesEveryField) {
  ReplyHead sent;
  sent.code = 4'000'000'000;
  sent.content_type = "text/plain; charset=utf-8";
  sent.headers = {{"etag", "\"1\""}};
  sent.body_bytes = 0;
  sent.http_status = 404;
  const test::SentFrame frame = reply_frame(sent, "", false);
  EXPECT_EQ(frame.type(), FrameType::reply);
  EXPECT_EQ(frame.header.flags, 0);
  const Result<DecodedReply> got = decode_reply(frame.head());
  ASSERT_TRUE(got);
  EXPECT_FALSE(got->failed);
  EXPECT_EQ(got->head.code, sent.code);
  EXPECT_EQ(got->head.content_type, sent.content_type);
  EXPECT_EQ(got->head.headers, sent.headers);
  EXPECT_EQ(got->head.body_bytes, std::optional<std::uint64_t>(0));
  EXPECT_EQ(got->head.http_status, 404);
}

TEST(ReplyHeadTest, TellsAnUnknownLengthFromAnEmptyBody) {
  EXPECT_EQ(decode_reply(reply_frame({}, "", true).head())->head.body_bytes, std::nullopt);
}

TEST(ReplyHeadTest, RefusesEachFieldBeyondItsRule) {
  const auto refused = [](const std::function<void(v1::ReplyHead&)>& change) {
    v1::ReplyHead m;
    change(m);
    EXPECT_EQ(decode_reply(m.SerializeAsString()).error(), Errc::malformed_frame)
        << m.ShortDebugString();
  };
  refused([](v1::ReplyHead& m) { m.set_content_type("a\r\nb"); });
  refused([](v1::ReplyHead& m) { m.set_content_type(std::string(1025, 't')); });
  refused([](v1::ReplyHead& m) { m.add_headers()->set_name("Upper"); });
  refused([](v1::ReplyHead& m) { m.add_headers(); });
  refused([](v1::ReplyHead& m) {
    while (m.headers_size() < 65) m.add_headers()->set_name("x");
  });
  refused([](v1::ReplyHead& m) { m.set_http_status(199); });
  refused([](v1::ReplyHead& m) { m.set_http_status(600); });
  refused([](v1::ReplyHead& m) { m.set_http_status(65'536 + 200); });
  refused([](v1::ReplyHead& m) { m.mutable_error(); });
  refused([](v1::ReplyHead& m) { m.mutable_error()->set_code(65'536); });
  refused([](v1::ReplyHead& m) {
    m.mutable_error()->set_code(1);
    m.mutable_error()->set_detail(std::string(1025, 'd'));
  });
}

TEST(ReplyHeadTest, FitsItsSixteenBitLengthWheneverCheckPasses) {
  ReplyHead head;
  head.content_type = std::string(1024, 't');
  head.headers.assign(7, {std::string(128, 'n'), std::string(8192, 'v')});
  head.headers.push_back({"fill", ""});
  fill_up(head);
  EXPECT_TRUE(decode_reply(reply_frame(head, "", true).head()));
}

TEST(ErrorReplyTest, CarriesTheFailureWithItsDetailCut) {
  std::string bytes;
  append_error_reply({Errc::overloaded, std::string(100'000, 'd')}, 0x10000, bytes);
  const test::SentFrame frame = frames(bytes).at(0);
  EXPECT_EQ(frame.header.flags, frame_flag::end);
  EXPECT_EQ(frame.body(), "");
  const Result<DecodedReply> got = decode_reply(frame.head());
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->failed);
  EXPECT_EQ(got->error.code, Errc::overloaded);
  EXPECT_EQ(got->error.detail, std::string(1024, 'd'));
}

TEST(ErrorReplyTest, SaysWhetherTheHandlerHasRun) {
  for (const bool has_not_run : {false, true}) {
    std::string bytes;
    append_error_reply({Errc::deadline_exceeded, std::string(1024, 'd'), has_not_run}, 7, bytes);
    const Result<DecodedReply> got = decode_reply(frames(bytes).at(0).head());
    ASSERT_TRUE(got);
    EXPECT_EQ(got->error.has_not_run, has_not_run);
  }
}

}  // namespace
}  // namespace rp::pipe
