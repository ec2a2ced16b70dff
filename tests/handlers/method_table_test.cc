#include "handlers/method_table.h"

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace rp::handlers {
namespace {

class MethodTableTest : public testing::Test {
 protected:
  void add(const char* verb, const char* noun) {
    table_.add(verb, noun, Flags::none, [](const Invocation&, Responder&) {});
  }
  std::string found(std::string_view verb, std::string_view noun) const {
    const auto* const method = table_.find(verb, noun);
    return method == nullptr ? "" : method->name;
  }
  std::string refusal(const char* verb, const char* noun) {
    try {
      add(verb, noun);
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
    return "";
  }

  MethodTable table_;
};

TEST_F(MethodTableTest, ReadsSlashAndUnderscoreAsOneName) {
  add("get", "time/utc");
  EXPECT_EQ(found("get", "time/utc"), "get_time_utc");
  EXPECT_EQ(found("get", "time_utc"), "get_time_utc");
}

TEST_F(MethodTableTest, KeepsTheCaseOfNounsButNotOfVerbs) {
  add("get", "time");
  EXPECT_EQ(found("GET", "time"), "get_time");
  EXPECT_EQ(found("get", "Time"), "");
}

TEST_F(MethodTableTest, FindsNothingThatWasNotAdded) {
  add("get", "time");
  for (const char* noun : {"time/", "", "/time", "tim", "timex", "time//", "__init__", "time\n"}) {
    EXPECT_EQ(found("get", noun), "") << noun;
  }
  for (const char* verb : {"post", "start", "", "gett", "_get", "get_", "options"}) {
    EXPECT_EQ(found(verb, "time"), "") << verb;
  }
}

TEST_F(MethodTableTest, PrefersTheExactNameThenTheLongestPattern) {
  add("get", "files/*");
  add("get", "files/open/*");
  add("get", "files/open/door");
  EXPECT_EQ(found("get", "files/open/door"), "get_files_open_door");
  EXPECT_EQ(found("get", "files/open/window"), "get_files_open_*");
  EXPECT_EQ(found("get", "files/a/b/c"), "get_files_*");
  EXPECT_EQ(found("get", "files/"), "get_files_*");
  EXPECT_EQ(found("get", "files"), "");
}

TEST_F(MethodTableTest, AStarAloneTakesEverythingOfItsVerb) {
  add("put", "*");
  EXPECT_EQ(found("put", ""), "put_*");
  EXPECT_EQ(found("put", std::string(100'000, 'x')), "put_*");
  EXPECT_EQ(found("get", "x"), "");
}

TEST_F(MethodTableTest, RefusesWhatIsNoVerbOrNounAndSaysWhy) {
  EXPECT_EQ(refusal("fetch", "x"), "verb 'fetch' is not one of get, post, put, delete, patch");
  EXPECT_EQ(refusal("GET", "x"), "verb 'GET' is not one of get, post, put, delete, patch");
  EXPECT_EQ(refusal("get", ""), "a noun must not be empty");
  EXPECT_NE(refusal("get", "a b").find("'a b'"), std::string::npos);
  EXPECT_NE(refusal("get", "a*b").find("'a*b'"), std::string::npos);
  EXPECT_NE(refusal("get", "a//b").find("'//'"), std::string::npos);
  EXPECT_NE(refusal("get", "caf\xc3\xa9").find("letters"), std::string::npos);
}

TEST_F(MethodTableTest, RefusesASecondMethodOfOneName) {
  add("get", "time/utc");
  add("get", "f*");
  EXPECT_EQ(refusal("get", "time_utc"), "method 'get_time_utc' exists already");
  EXPECT_EQ(refusal("get", "f*"), "method 'get_f*' exists already");
  EXPECT_EQ(refusal("post", "time_utc"), "");
}

TEST_F(MethodTableTest, ListsItsNamesSorted) {
  add("put", "b");
  add("get", "z");
  add("get", "a*");
  EXPECT_EQ(table_.names(), (std::vector<std::string>{"get_a*", "get_z", "put_b"}));
}

}  // namespace
}  // namespace rp::handlers
