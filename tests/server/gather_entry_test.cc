#include "server/gather_entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rp::server {
namespace {

using testing::HasSubstr;

TEST(GatherEntryTest, JsonIsEmbeddedWithoutBlanksAndWithItsOwnNumbers) {
  pipe::ReplyHead head;
  head.content_type = "application/json; charset=utf-8";
  EXPECT_EQ(reply_members(head, "{ \"t\" :\n [1763680000.123456, \"a \\\" b\\\\\"] }"),
            R"("code":0,"content_type":"application/json; charset=utf-8",)"
            R"("body":{"t":[1763680000.123456,"a \" b\\"]})");
  head.content_type = "application/problem+json";
  EXPECT_THAT(reply_members(head, "{}"), HasSubstr("\"body\":{}"));
}

TEST(GatherEntryTest, WhatIsNoJsonOrNoTextFallsThrough) {
  pipe::ReplyHead head;
  head.code = 7;
  head.content_type = "application/json";
  EXPECT_EQ(reply_members(head, "{oops"),
            R"("code":7,"content_type":"application/json","body":"{oops")");
  head.content_type = "text/plain";
  EXPECT_THAT(reply_members(head, "\xff"), HasSubstr(R"("body":"/w==","encoding":"base64")"));
  head.content_type = "";
  EXPECT_THAT(reply_members(head, "line\nline"), HasSubstr(R"("body":"line\nline")"));
}

TEST(GatherEntryTest, BytesBecomeBase64) {
  pipe::ReplyHead head;
  head.content_type = "image/png";
  head.http_status = 206;
  EXPECT_EQ(
      reply_members(head, "foobar"),
      R"("code":0,"status":206,"content_type":"image/png","body":"Zm9vYmFy","encoding":"base64")");
}

}  // namespace
}  // namespace rp::server
