#include "certs/names.h"

#include <gtest/gtest.h>

#include "certs/error.h"

namespace rp::certs {
namespace {

TEST(AcceptableNameTest, TakesLettersDigitsUnderscoreDotAndHyphen) {
  for (const char* name : {"a", "node-a", "Node_1.example", "10.0.0.5", "x-"})
    EXPECT_TRUE(acceptable_name(name, kIssuedNameBytesMax)) << name;
}

TEST(AcceptableNameTest, RefusesEverythingThatIsNoPlainName) {
  using namespace std::literals;
  for (const std::string_view name :
       {""sv, "*"sv, "*.example"sv, "a b"sv, "a/b"sv, "a\0b"sv, "a\nb"sv, "caf\xc3\xa9"sv, ".."sv,
        ".hidden"sv, "-option"sv, "a,DNS:b"sv, "a:b"sv})
    EXPECT_FALSE(acceptable_name(name, kIssuedNameBytesMax)) << name;
}

TEST(AcceptableNameTest, LimitsTheLength) {
  EXPECT_TRUE(acceptable_name(std::string(63, 'a'), kIssuedNameBytesMax));
  EXPECT_FALSE(acceptable_name(std::string(64, 'a'), kIssuedNameBytesMax));
  EXPECT_TRUE(acceptable_name(std::string(253, 'a'), kPeerNameBytesMax));
  EXPECT_FALSE(acceptable_name(std::string(254, 'a'), kPeerNameBytesMax));
}

TEST(SubjectAltNameTest, KnowsNamesFromAddresses) {
  EXPECT_EQ(subject_alt_name("pipe.example"), "DNS:pipe.example");
  EXPECT_EQ(subject_alt_name("DNS:pipe.example"), "DNS:pipe.example");
  EXPECT_EQ(subject_alt_name("192.0.2.7"), "IP:192.0.2.7");
  EXPECT_EQ(subject_alt_name("IP:2001:db8::1"), "IP:2001:db8::1");
  EXPECT_EQ(subject_alt_name("2001:db8::1"), "IP:2001:db8::1");
}

TEST(SubjectAltNameTest, RefusesWhatCouldSayMoreThanOneName) {
  for (const char* text : {"", "DNS:", "IP:", "IP:999.1.1.1", "IP:host", "*.example",
                           "DNS:*.example", "a,DNS:b", "URI:x", "DNS:a\nb"}) {
    try {
      subject_alt_name(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_argument) << text;
    }
  }
}

}  // namespace
}  // namespace rp::certs
