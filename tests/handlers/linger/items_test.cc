#include "handlers/linger/items.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rp::handlers::linger {
namespace {

using testing::ElementsAre;

TEST(LingerItemsTest, CutsArraysWithoutReadingTheirValues) {
  EXPECT_THAT(*split_items(" [1, \"a,]\\\"\" ,{\"b\": [2, 3]}] \n"),
              ElementsAre("1", "\"a,]\\\"\"", "{\"b\": [2, 3]}"));
  EXPECT_THAT(*split_items("[[1]]"), ElementsAre("[1]"));
  for (const char* bad : {"[", "[1", "[1,", "[\"]", "[1]]", "[1] 2", "[]", "[ ]", "", " \n"}) {
    EXPECT_FALSE(split_items(bad)) << bad;
  }
}

TEST(LingerItemsTest, CutsLines) {
  EXPECT_THAT(*split_items("1\r\n\n \"a\" \n{\"b\": 2}"), ElementsAre("1", "\"a\"", "{\"b\": 2}"));
}

TEST(LingerItemsTest, TakesAThousandAndNoMore) {
  std::string lines;
  std::string array = "[";
  for (int i = 0; i < 1'000; ++i) {
    lines += "1\n";
    array += "1,";
  }
  EXPECT_TRUE(split_items(lines));
  EXPECT_FALSE(split_items(lines + "1"));
  EXPECT_TRUE(split_items(array.substr(0, array.size() - 1) + "]"));
  EXPECT_FALSE(split_items(array + "1]"));
}

TEST(LingerItemsTest, ReadsMessages) {
  const auto plain = read_message_item("\"caf\\u00e9\"");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->body, "caf\xc3\xa9");
  EXPECT_EQ(plain->content_type, "text/plain");
  const auto full = read_message_item(
      R"({"body64": "AP8=", "type": "a/b", "priority": -3, "timeout": 5, "deliver": 2, "linger": 7,)"
      R"( "delay": 0.25, "dedup": "k"})");
  ASSERT_TRUE(full) << full.error().reason;
  EXPECT_EQ(full->body, std::string("\0\xff", 2));
  EXPECT_EQ(full->priority, -3);
  EXPECT_EQ(full->visibility, std::chrono::seconds(5));
  EXPECT_EQ(full->deliveries_max, 2U);
  EXPECT_EQ(full->retention, std::chrono::seconds(7));
  EXPECT_EQ(full->delay, std::chrono::milliseconds(250));
  EXPECT_EQ(full->dedup_id, "k");
}

TEST(LingerItemsTest, SaysWhatIsWrongWithAMessage) {
  const std::pair<const char*, const char*> rows[] = {
      {"7", "A message is a JSON string or object."},
      {"{", "The item is not JSON."},
      {"\"\"", "Message is empty."},
      {"{}", "Message is empty."},
      {R"({"body": 7})", "Invalid body, accepted is text; bytes go into body64."},
      {R"({"body": "x", "body64": "eA=="})", "A message has body or body64, not both."},
      {R"({"body": "x", "priority": 1.5})", "Invalid message priority."},
      {R"({"body": "x", "priority": null})", "Invalid priority, accepted is a text or a number."},
      {R"({"body": "x", "dedup": null})", "Invalid dedup, accepted is a text or a number."},
      {R"({"body": "x", "delay": "-0.5"})",
       "Invalid message delay, accepted are seconds from 0, such as 60 or 0.5."},
      {R"({"body": "x", "pirority": 1})",
       "Unknown member pirority, accepted are body, body64, type, priority, timeout, deliver, "
       "linger, delay, at, dedup."},
      {R"({"body64": 7})", "Invalid base64."},
      {R"({"body": "x", "type": 7})", "Invalid content type."},
      {R"({"body64": "x"})", "Invalid base64."},
      {R"({"body": "x", "type": "a\r\nb: c"})", "Invalid content type."},
  };
  for (const auto& [item, reason] : rows) {
    const auto read = read_message_item(item);
    ASSERT_FALSE(read) << item;
    EXPECT_EQ(read.error().reason, reason) << item;
  }
  EXPECT_FALSE(read_message_item(R"({"body": "x", "dead": "grave"})"))
      << "a setting of the channel is none of one message";
  EXPECT_FALSE(read_message_item('"' + std::string(256'001, 'x') + '"'));
  EXPECT_FALSE(read_message_item('"' + std::string(2'000'000, ' ') + '"'));
  EXPECT_FALSE(read_message_item(std::string(100'000, '[')));
}

TEST(LingerItemsTest, TakesMembersAsParameters) {
  Parameters parameters;
  EXPECT_FALSE(add_members(R"({"hlm": 5, "dead": "grave", "window": 0.25})", parameters));
  const auto settings = read_settings(parameters);
  ASSERT_TRUE(settings) << settings.error().reason;
  EXPECT_EQ(settings->messages_max, 5U);
  EXPECT_EQ(settings->dead_channel, "grave");
  EXPECT_EQ(settings->dedup_window, std::chrono::milliseconds(250));
  for (const char* bad : {"", "[]", "5", "{", R"({"dead": null})"}) {
    EXPECT_TRUE(add_members(bad, parameters)) << bad;
  }
  EXPECT_FALSE(add_members(R"({"body": "x"})", parameters));
  EXPECT_EQ(parameters.other_than(kSettings), "body");
}

TEST(LingerItemsTest, ReadsAcknowledgements) {
  EXPECT_EQ(read_ack_item("12")->id, 12U);
  EXPECT_EQ(read_ack_item("18446744073709551615")->id, UINT64_MAX);
  EXPECT_EQ(read_ack_item("\"12-00000000000000ff\"")->lease, (queue::Lease{12, 255}));
  for (const char* bad : {"-1", "1.5", "\"12\"", "{}", "null", ""}) {
    EXPECT_FALSE(read_ack_item(bad)) << bad;
  }
}

}  // namespace
}  // namespace rp::handlers::linger
