#include "pipe/core/fields.h"

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <gtest/gtest.h>
#include <proto/pipe.pb.h>

#include "pipe/core/head.h"
#include "pipe/core/parse.h"
#include "tests/pipe/fakes.h"

/// Heads are read and written without the generated classes; here both must agree.
namespace rp::pipe {
namespace {

using test::decoded_call;

namespace v1 = restpipe::v1;

constexpr Clock::time_point kNow{std::chrono::hours(5)};

std::vector<FieldTag> tags_of(std::string_view message, bool& well_formed) {
  std::vector<FieldTag> tags;
  FieldReader fields(message);
  while (fields.next()) tags.push_back(fields.tag());
  well_formed = fields.well_formed();
  return tags;
}

bool well_formed(std::string_view message) {
  bool ok = false;
  (void)tags_of(message, ok);
  return ok;
}

TEST(FieldReaderTest, PassesOverEveryWireTypeOfProto3) {
  const std::string message(
      "\x08\x96\x01\x11"
      "12345678\x1a\x03"
      "abc\x25"
      "1234\x28\x00",
      24);
  bool ok = false;
  EXPECT_EQ(tags_of(message, ok),
            (std::vector<FieldTag>{varint_field(1), 2 << 3 | 1, bytes_field(3), 4 << 3 | 5,
                                   varint_field(5)}));
  EXPECT_TRUE(ok);
}

TEST(FieldReaderTest, RefusesWhatDoesNotParse) {
  EXPECT_TRUE(well_formed(""));
  EXPECT_FALSE(well_formed("\x0a\x03xy")) << "bytes cut short";
  EXPECT_FALSE(well_formed("\x09xy")) << "fixed 64 cut short";
  EXPECT_FALSE(well_formed("\x0dxy")) << "fixed 32 cut short";
  EXPECT_FALSE(well_formed("\x08")) << "no value";
  EXPECT_FALSE(well_formed("\x08\x80")) << "varint cut short";
  EXPECT_FALSE(well_formed("\x08" + std::string(10, '\x80') + "\x01")) << "varint of 11 bytes";
  EXPECT_FALSE(well_formed(std::string("\x00\x01", 2))) << "field number 0";
  EXPECT_FALSE(well_formed("\x80\x80\x80\x80\x10\x01")) << "field number above 2^29 - 1";
  EXPECT_FALSE(well_formed(std::string("\x88\x80\x80\x80\x80\x00\x01", 7))) << "tag of 6 bytes";
  EXPECT_FALSE(well_formed("\x0b\x0c")) << "a group";
  EXPECT_FALSE(well_formed("\x0e")) << "wire type 6";
  EXPECT_FALSE(well_formed("\x0f")) << "wire type 7";
  EXPECT_FALSE(well_formed("\x0a" + std::string(9, '\xff') + "\x01x")) << "2^64 - 1 bytes";
}

TEST(FieldReaderTest, StaysAtWhatDoesNotParse) {
  FieldReader fields("\x0e\x08\x01");
  EXPECT_FALSE(fields.next());
  EXPECT_FALSE(fields.next()) << "nothing behind it is read";
  EXPECT_FALSE(fields.well_formed());
}

/// Random heads, and what random damage makes of them, drawn from one printed seed.
class HeadsTest : public ::testing::Test {
 protected:
  std::size_t below(std::size_t bound) { return random_() % bound; }

  std::string text(std::size_t bytes_max) {
    std::string t(below(bytes_max + 1), ' ');
    for (char& c : t) c = static_cast<char>('a' + below(26));
    return t;
  }

  v1::CallHead random_call() {
    constexpr const char* kVerbs[] = {"get", "post", "put", "delete", "patch"};
    v1::CallHead m;
    m.set_verb(kVerbs[below(5)]);
    m.set_noun(text(300));
    m.set_query(text(200));
    m.set_content_type(text(20));
    m.set_request_id(text(100));
    m.set_timeout_ms(random_() >> below(64));
    for (std::size_t n = below(4); n > 0; --n) {
      v1::Header* h = m.add_headers();
      h->set_name("n" + text(20));
      h->set_value(text(200));
    }
    return m;
  }

  v1::ReplyHead random_reply() {
    v1::ReplyHead m;
    m.set_code(static_cast<std::uint32_t>(random_() >> below(64)));
    m.set_content_type(text(200));
    if (below(2) == 0) m.set_body_bytes(random_() >> below(64));
    if (below(2) == 0) m.set_http_status(static_cast<std::uint32_t>(200 + below(400)));
    if (below(4) == 0) {
      m.mutable_error()->set_code(static_cast<std::uint32_t>(1 + below(0xffff)));
      m.mutable_error()->set_detail(text(300));
      m.mutable_error()->set_has_not_run(below(2) == 0);
    }
    return m;
  }

  std::string damaged(std::string bytes) {
    for (std::size_t n = 1 + below(3); n > 0 && !bytes.empty(); --n) {
      const std::size_t at = below(bytes.size());
      switch (below(4)) {
        case 0:
          bytes[at] = static_cast<char>(random_());
          break;
        case 1:
          bytes.erase(at, 1 + below(4));
          break;
        case 2:
          bytes.insert(at, 1, static_cast<char>(random_()));
          break;
        default:
          bytes += bytes.substr(at);  // fields that come twice
      }
    }
    return bytes;
  }

  const unsigned long seed_ = std::random_device()();
  std::mt19937_64 random_{seed_};
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, "seed " + std::to_string(seed_)};
};

/// What the generated class would read if its strings were bytes. It refuses a string that is not
/// UTF-8 even where a later field of the same number takes its place; we judge only the last.
template <class Message>
class Lenient {
 public:
  std::optional<Message> read(const std::string& bytes) {
    const std::unique_ptr<google::protobuf::Message> any(prototype_->New());
    Message m;
    if (!parse(*any, bytes) || !parse(m, any->SerializeAsString())) return std::nullopt;
    return m;
  }

 private:
  static google::protobuf::FileDescriptorProto with_bytes() {
    google::protobuf::FileDescriptorProto file;
    Message::descriptor()->file()->CopyTo(&file);
    for (auto& message : *file.mutable_message_type()) {
      for (auto& field : *message.mutable_field()) {
        if (field.type() == field.TYPE_STRING) field.set_type(field.TYPE_BYTES);
      }
    }
    return file;
  }

  google::protobuf::DescriptorPool pool_;
  const google::protobuf::FileDescriptor* file_ = pool_.BuildFile(with_bytes());
  google::protobuf::DynamicMessageFactory factory_;
  const google::protobuf::Message* prototype_ =
      factory_.GetPrototype(file_->FindMessageTypeByName(Message::descriptor()->name()));
};

void expect_same(const Event& event, const v1::CallHead& m) {
  EXPECT_EQ(event.verb, m.verb());
  EXPECT_EQ(event.noun, m.noun());
  EXPECT_EQ(event.query, m.query());
  EXPECT_EQ(event.content_type, m.content_type());
  EXPECT_EQ(event.request_id, m.request_id());
  ASSERT_EQ(event.headers.size(), static_cast<std::size_t>(m.headers_size()));
  for (int i = 0; i < m.headers_size(); ++i) {
    EXPECT_EQ(event.headers[static_cast<std::size_t>(i)].name, m.headers(i).name());
    EXPECT_EQ(event.headers[static_cast<std::size_t>(i)].value, m.headers(i).value());
  }
}

void expect_same(const DecodedReply& reply, const v1::ReplyHead& m) {
  ASSERT_EQ(reply.failed, m.has_error());
  if (reply.failed) {
    EXPECT_EQ(static_cast<std::uint32_t>(reply.error.code), m.error().code());
    EXPECT_EQ(reply.error.detail, m.error().detail());
    EXPECT_EQ(reply.error.has_not_run, m.error().has_not_run());
    return;
  }
  EXPECT_EQ(reply.head.code, m.code());
  EXPECT_EQ(reply.head.content_type, m.content_type());
  EXPECT_EQ(reply.head.body_bytes.has_value(), m.has_body_bytes());
  EXPECT_EQ(reply.head.body_bytes.value_or(0), m.body_bytes());
  EXPECT_EQ(reply.head.http_status, m.http_status());
}

constexpr int kRounds = 20'000;

TEST_F(HeadsTest, CallsAreReadAsTheGeneratedClassReadsThem) {
  Lenient<v1::CallHead> lenient;
  for (int i = 0; i < kRounds && !HasFailure(); ++i) {
    const v1::CallHead sent = random_call();
    const Result<Event> whole = decoded_call(sent.SerializeAsString(), kNow);
    ASSERT_TRUE(whole);
    expect_same(*whole, sent);

    const std::string bytes = damaged(sent.SerializeAsString());
    const Result<Event> event = decoded_call(bytes, kNow);
    if (!event) continue;
    const auto m = lenient.read(bytes);
    ASSERT_TRUE(m) << "taken, but no message: " << testing::PrintToString(bytes);
    expect_same(*event, *m);
  }
}

TEST_F(HeadsTest, RepliesAreReadAsTheGeneratedClassReadsThem) {
  Lenient<v1::ReplyHead> lenient;
  for (int i = 0; i < kRounds && !HasFailure(); ++i) {
    const v1::ReplyHead sent = random_reply();
    const Result<DecodedReply> whole = decode_reply(sent.SerializeAsString());
    ASSERT_TRUE(whole);
    expect_same(*whole, sent);

    const std::string bytes = damaged(sent.SerializeAsString());
    const Result<DecodedReply> reply = decode_reply(bytes);
    if (!reply) continue;
    const auto m = lenient.read(bytes);
    ASSERT_TRUE(m) << "taken, but no message: " << testing::PrintToString(bytes);
    expect_same(*reply, *m);
  }
}

TEST_F(HeadsTest, CallsAreWrittenAsTheGeneratedClassWritesThem) {
  for (int i = 0; i < kRounds && !HasFailure(); ++i) {
    const v1::CallHead sent = random_call();
    const Result<Event> event = decoded_call(sent.SerializeAsString(), kNow);
    ASSERT_TRUE(event);
    std::string frame;
    append_call(*event, "body", true, 1, kNow, frame);
    const FrameHeader header = decode_header(frame.data());
    const std::string_view head =
        std::string_view(frame).substr(kFrameHeaderBytes, header.head_bytes);
    v1::CallHead m;
    ASSERT_TRUE(parse(m, head));
    expect_same(*event, m);
    EXPECT_EQ(m.SerializeAsString(), head) << "the canonical form, nothing beside it";
    EXPECT_EQ(frame.size(), kFrameHeaderBytes + header.payload_bytes);
  }
}

}  // namespace
}  // namespace rp::pipe
