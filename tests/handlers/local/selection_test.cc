#include "handlers/files/selection.h"

#include <gtest/gtest.h>

#include "handlers/files/content_type.h"
#include "handlers/files/http_date.h"
#include "handlers/local/mount_path.h"

namespace rp::handlers {
namespace {

const FileState kFile{"\"abc\"", 784111777, 1000};  // Sun, 06 Nov 1994 08:49:37 GMT
const std::string kDate = "Sun, 06 Nov 1994 08:49:37 GMT";
const std::string kEarlier = "Sun, 06 Nov 1994 08:49:36 GMT";

std::string selected(const pipe::Headers& headers, const FileState& file = kFile) {
  const auto s = select(headers, file);
  return std::to_string(s.status) + ' ' + std::to_string(s.begin) + '+' + std::to_string(s.bytes);
}
std::string ranged(const std::string& range) { return selected({{"range", range}}); }

const std::string kWhole = "200 0+1000";
const std::string kNothing = "416 0+0";
const std::string kUnchanged = "304 0+0";
const std::string kOtherState = "412 0+0";

TEST(SelectionTest, TheWholeFileUnlessAskedOtherwise) { EXPECT_EQ(selected({}), kWhole); }

TEST(SelectionTest, OneRange) {
  EXPECT_EQ(ranged("bytes=0-0"), "206 0+1");
  EXPECT_EQ(ranged("bytes=100-199"), "206 100+100");
  EXPECT_EQ(ranged("bytes=100-"), "206 100+900");
  EXPECT_EQ(ranged("bytes=100-5000"), "206 100+900");
  EXPECT_EQ(ranged("bytes=-100"), "206 900+100");
  EXPECT_EQ(ranged("bytes=-5000"), "206 0+1000");
  EXPECT_EQ(ranged("bytes=0-18446744073709551615"), "206 0+1000");
}

TEST(SelectionTest, WhatLiesOutsideIs416) {
  EXPECT_EQ(ranged("bytes=1000-"), kNothing);
  EXPECT_EQ(ranged("bytes=1000-2000"), kNothing);
  EXPECT_EQ(ranged("bytes=-0"), kNothing);
  EXPECT_EQ(selected({{"range", "bytes=0-"}}, {"\"e\"", 0, 0}), kNothing);
}

TEST(SelectionTest, WhatIsNoSingleByteRangeIsIgnored) {
  for (const char* range :
       {"bytes=0-1,5-6", "lines=0-1", "bytes=", "bytes=-", "bytes=5-1", "bytes=a-b", "bytes=1",
        "bytes=0x1-2", "bytes=1-2x", "bytes=18446744073709551616-", "bytes=--1"}) {
    EXPECT_EQ(ranged(range), kWhole) << range;
  }
  EXPECT_EQ(selected({{"range", "bytes=-5"}}, {"\"e\"", 0, 0}), "200 0+0");
}

TEST(SelectionTest, IfRangeHoldsForThisVeryState) {
  const auto with = [](const std::string& condition) {
    return selected({{"range", "bytes=0-9"}, {"if-range", condition}});
  };
  EXPECT_EQ(with("\"abc\""), "206 0+10");
  EXPECT_EQ(with(kDate), "206 0+10");
  for (const std::string condition : {"\"other\"", "W/\"abc\"", "nonsense"}) {
    EXPECT_EQ(with(condition), kWhole) << condition;
  }
  EXPECT_EQ(with(kEarlier), kWhole);
}

TEST(SelectionTest, UnchangedFilesAreNotSentAgain) {
  EXPECT_EQ(selected({{"if-none-match", "\"abc\""}}), kUnchanged);
  EXPECT_EQ(selected({{"if-none-match", "\"x\", W/\"abc\""}}), kUnchanged);
  EXPECT_EQ(selected({{"if-none-match", "*"}}), kUnchanged);
  EXPECT_EQ(selected({{"if-none-match", "\"x\""}}), kWhole);
  EXPECT_EQ(selected({{"if-modified-since", kDate}}), kUnchanged);
  EXPECT_EQ(selected({{"if-modified-since", kEarlier}}), kWhole);
  EXPECT_EQ(selected({{"if-modified-since", "yesterday"}}), kWhole);
  // The entity tag knows better than the date.
  EXPECT_EQ(selected({{"if-none-match", "\"x\""}, {"if-modified-since", kDate}}), kWhole);
}

TEST(SelectionTest, PreconditionsThatFailAre412) {
  EXPECT_EQ(selected({{"if-match", "\"x\""}}), kOtherState);
  EXPECT_EQ(selected({{"if-match", "W/\"abc\""}}), kOtherState);
  EXPECT_EQ(selected({{"if-match", "\"x\", \"abc\""}}), kWhole);
  EXPECT_EQ(selected({{"if-unmodified-since", kEarlier}}), kOtherState);
  EXPECT_EQ(selected({{"if-unmodified-since", kDate}}), kWhole);
  EXPECT_EQ(selected({{"if-unmodified-since", "yesterday"}}), kWhole);
}

TEST(HttpDateTest, WritesAndReadsTheOneForm) {
  EXPECT_EQ(http_date(784111777), kDate);
  EXPECT_EQ(parse_http_date(kDate), 784111777);
  for (const char* text : {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                           "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
                           "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, -6 Nov 1994 08:49:37 GMT"}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
}

TEST(ContentTypeTest, GoesByTheExtension) {
  EXPECT_EQ(content_type_of("index.HTML"), "text/html; charset=utf-8");
  EXPECT_EQ(content_type_of("a.tar.gz"), "application/gzip");
  EXPECT_EQ(content_type_of("Makefile"), "application/octet-stream");
  EXPECT_EQ(content_type_of("html"), "application/octet-stream");
}

TEST(MountPathTest, IsWhatFollowsTheNoun) {
  EXPECT_EQ(path_below("app", "app"), "");
  EXPECT_EQ(path_below("app", "app/"), "/");
  EXPECT_EQ(path_below("app", "app//"), "/");
  EXPECT_EQ(path_below("app", "app//a/b"), "/a/b");
  EXPECT_EQ(path_below("app", "app/a/b"), "/a/b");
  EXPECT_EQ(path_below("app", "app///a//b/"), "//a//b/");
}

TEST(MountPathTest, EncodesWhatAPathMayNotHold) {
  EXPECT_EQ(encoded_path("/a-z_~.:@!$&'()*+,;=/"), "/a-z_~.:@!$&'()*+,;=/");
  EXPECT_EQ(encoded_path("/a b?c#d%e\"\xc3\xb6"), "/a%20b%3Fc%23d%25e%22%C3%B6");
}

TEST(MountPathTest, KeepsAnEncodedSlash) {
  EXPECT_EQ(encoded_path_below("app", "app//a/b/c d", "app//a%2Fb/c%20d"), "/a%2Fb/c%20d");
  EXPECT_EQ(encoded_path_below("app", "app/a/b", "app/a%2fb"), "/a%2fb");
  EXPECT_EQ(encoded_path_below("app", "app//a b", ""), "/a%20b");
  EXPECT_EQ(encoded_path_below("app", "app", ""), "");
}

TEST(MountPathTest, BelievesNoOtherWayToWriteANoun) {
  EXPECT_EQ(encoded_path_below("app", "app//a/b", "app//a%2Fc"), "/a/b");
  EXPECT_EQ(encoded_path_below("app", "app//a/b", "%61pp//a%2Fb"), "/a/b");
  EXPECT_EQ(encoded_path_below("app", "app//a/b", "app"), "/a/b");
}

TEST(MountPathTest, LetsNothingEndTheTarget) {
  EXPECT_EQ(encoded_path_below("app", "app//a/b?c#d e%zz%2", "app//a%2Fb?c#d e%zz%2"),
            "/a%2Fb%3Fc%23d%20e%25zz%252");
}

}  // namespace
}  // namespace rp::handlers
