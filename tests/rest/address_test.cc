#include "rest/address.h"

#include <string>

#include <gtest/gtest.h>

namespace rp::rest {
namespace {

std::string decoded(std::string_view raw) {
  std::string out;
  const auto error = decode_path(raw, out);
  return error ? "refused: " + std::string(sentence(*error)) : out;
}

PathError refused(std::string_view raw) {
  std::string out;
  const auto error = decode_path(raw, out);
  EXPECT_TRUE(error) << raw << " -> " << out;
  return error.value_or(PathError::control_byte);
}

TEST(DecodePathTest, DecodesOnce) {
  EXPECT_EQ(decoded("/server/cat//hello%20/world"), "/server/cat//hello /world");
  EXPECT_EQ(decoded("/server/cat//a%2Fb"), "/server/cat//a/b");
  EXPECT_EQ(decoded("/server/cat%2F%2Fa/b"), "/server/cat//a/b");
  EXPECT_EQ(decoded("/a%252Fb"), "/a%2Fb");
}

TEST(DecodePathTest, KeepsPlusAndInvalidEscapes) {
  EXPECT_EQ(decoded("/server/cat//a+b/c%2Bd"), "/server/cat//a+b/c+d");
  EXPECT_EQ(decoded("/%zz%4"), "/%zz%4");
  EXPECT_EQ(decoded("/%"), "/%");
  EXPECT_EQ(decoded("/a%2"), "/a%2");
  EXPECT_EQ(decoded("/a%2G"), "/a%2G");
  EXPECT_EQ(decoded("/%%41"), "/%A");
}

TEST(DecodePathTest, KeepsUtf8AndReplacesWhatIsNone) {
  EXPECT_EQ(decoded("/caf%C3%A9"), "/caf\xc3\xa9");
  EXPECT_EQ(decoded("/%F0%9F%98%80"), "/\xf0\x9f\x98\x80");
  EXPECT_EQ(decoded("/a%ff/b"), "/a\xef\xbf\xbd/b");
  EXPECT_EQ(decoded("/%80"), "/\xef\xbf\xbd");
  EXPECT_EQ(decoded("/%C3"), "/\xef\xbf\xbd");
  EXPECT_EQ(decoded("/%C3x"), "/\xef\xbf\xbdx");
}

TEST(DecodePathTest, ReplacesEachMaximalIllFormedPartOnce) {
  EXPECT_EQ(decoded("/%E2%82"), "/\xef\xbf\xbd");              // a truncated character
  EXPECT_EQ(decoded("/%F0%9F%98x"), "/\xef\xbf\xbdx");         // the same, then ASCII
  EXPECT_EQ(decoded("/%ED%A0"), "/\xef\xbf\xbd\xef\xbf\xbd");  // half of a surrogate
  EXPECT_EQ(decoded("/%F5%80"), "/\xef\xbf\xbd\xef\xbf\xbd");  // beyond U+10FFFF
  EXPECT_EQ(decoded("/%F4%90%80%80").size(), 1U + 4U * 3U);
}

TEST(DecodePathTest, RefusesControlBytes) {
  EXPECT_EQ(refused("/a%00"), PathError::control_byte);
  EXPECT_EQ(refused("/a%0A"), PathError::control_byte);
  EXPECT_EQ(refused("/a%0d%0ab"), PathError::control_byte);
  EXPECT_EQ(refused("/a%1b"), PathError::control_byte);
  EXPECT_EQ(refused("/a%7F"), PathError::control_byte);
}

TEST(DecodePathTest, RefusesOverlongForms) {
  EXPECT_EQ(refused("/%C0%AF"), PathError::overlong_utf8);
  EXPECT_EQ(refused("/%C1%81"), PathError::overlong_utf8);
  EXPECT_EQ(refused("/%E0%80%AF"), PathError::overlong_utf8);
  EXPECT_EQ(refused("/%E0%9F%BF"), PathError::overlong_utf8);
  EXPECT_EQ(refused("/%F0%80%80%AF"), PathError::overlong_utf8);
  EXPECT_EQ(refused("/%F0%8F%BF%BF"), PathError::overlong_utf8);
}

TEST(DecodePathTest, RefusesDotDotSegmentsOnly) {
  EXPECT_EQ(refused("/.."), PathError::dot_dot_segment);
  EXPECT_EQ(refused("/../a"), PathError::dot_dot_segment);
  EXPECT_EQ(refused("/a/.."), PathError::dot_dot_segment);
  EXPECT_EQ(refused("/a/%2e%2E/b"), PathError::dot_dot_segment);
  EXPECT_EQ(refused("/a//..//b"), PathError::dot_dot_segment);
  EXPECT_EQ(decoded("/a..b/...//..c/d../."), "/a..b/...//..c/d../.");
}

TEST(DecodePathTest, RefusesBackslashes) {
  EXPECT_EQ(refused("/a\\b"), PathError::backslash);
  EXPECT_EQ(refused("/a%5cb"), PathError::backslash);
}

TEST(EventAddressTest, ServerNounIsEverythingBehindThePrefix) {
  const auto noun = [](std::string_view path) { return parse_event_address(path)->noun; };
  EXPECT_EQ(noun("/server/time"), "time");
  EXPECT_EQ(noun("/server/"), "");
  EXPECT_EQ(noun("/server//time"), "/time");
  EXPECT_EQ(noun("/server///a"), "//a");
  EXPECT_EQ(noun("/server/cat//a/b//c"), "cat//a/b//c");
  EXPECT_EQ(parse_event_address("/server/time")->side, EventAddress::Side::server);
  EXPECT_EQ(parse_event_address("/server/time")->host, "");
}

TEST(EventAddressTest, ClientHasAHostAndANoun) {
  const auto address = parse_event_address("/client/web-1.example_x/cat//a/b");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->side, EventAddress::Side::client);
  EXPECT_EQ(address->host, "web-1.example_x");
  EXPECT_EQ(address->noun, "cat//a/b");
  EXPECT_EQ(parse_event_address("/client/localhost/")->noun, "");
  EXPECT_EQ(parse_event_address("/client/*/time//x")->host, "*");
}

TEST(EventAddressTest, EverythingElseIsNoEvent) {
  for (const auto* path :
       {"/", "/server", "/client", "/client/", "/client/localhost", "/client//x", "/client/a:b/x",
        "/client/[::1]/x", "//server/time", "/Server/time", "/client/caf\xc3\xa9/x", "/client/**/x",
        "/client/a*/x", "/client/*", "/clients/a/b", "*", ""})
    EXPECT_FALSE(parse_event_address(path)) << path;
}

}  // namespace
}  // namespace rp::rest
