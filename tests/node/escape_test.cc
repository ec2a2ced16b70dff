#include "node/escape.h"

#include <random>

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace rp::node {
namespace {

TEST(EscapeTest, LeavesPlainValuesBare) {
  EXPECT_EQ(logfmt_value("workshop-1"), "workshop-1");
  EXPECT_EQ(logfmt_value("caf\xc3\xa9"), "caf\xc3\xa9");
}

TEST(EscapeTest, KeepsAValueOneFieldOfOneLine) {
  EXPECT_EQ(logfmt_value(""), "\"\"");
  EXPECT_EQ(logfmt_value("a b"), "\"a b\"");
  EXPECT_EQ(logfmt_value("a=b"), "\"a=b\"");
  EXPECT_EQ(logfmt_value("x\r\nlevel=error"), "\"x\\x0d\\x0alevel=error\"");
  EXPECT_EQ(logfmt_value("say \"hi\""), R"("say \"hi\"")");
}

TEST(EscapeTest, DisarmsTerminalSequences) {
  EXPECT_EQ(logfmt_value("\x1b[31m"), "\\x1b[31m");
  EXPECT_EQ(logfmt_value("\xc2\x9b[31m"), "\\xc2\\x9b[31m");   // CSI in one character of C1
  EXPECT_EQ(logfmt_value("\xe2\x80\xa8"), "\\xe2\\x80\\xa8");  // a line separator
  EXPECT_EQ(logfmt_value("\xff\xc0\x80"), "\\xff\\xc0\\x80");  // not UTF-8, overlong
  EXPECT_EQ(logfmt_value("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
}

TEST(EscapeTest, MakesJsonOfAnyBytes) {
  EXPECT_EQ(json_quoted("a\"b\\c\nd\te\x7f"), R"("a\"b\\c\nd\u0009e\u007f")");
  EXPECT_EQ(json_quoted("\xff!"), "\"\xef\xbf\xbd!\"");
  EXPECT_EQ(json_quoted("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"");

  std::mt19937 random(20);  // a fixed seed: a failure is repeatable
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    boost::system::error_code ec;
    const auto value = boost::json::parse(json_quoted(bytes), ec);
    ASSERT_FALSE(ec) << "round " << i;
    ASSERT_TRUE(value.is_string());
    const std::string plain = logfmt_value(bytes);
    EXPECT_EQ(plain.find_first_of("\r\n\x1b"), plain.npos) << "round " << i;
  }
}

}  // namespace
}  // namespace rp::node
