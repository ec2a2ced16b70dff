#include "tests/style/rules.h"

#include <gtest/gtest.h>

namespace rp::style {
namespace {

std::size_t beside(std::string text) {
  return born_beside_co_await({"pipe/link.cc", std::move(text)}).size();
}

TEST(CodeOnlyTest, BlanksCommentsAndLiteralsButKeepsLines) {
  EXPECT_EQ(code_only("a // b\nc"), "a     \nc");
  EXPECT_EQ(code_only("a /* b\n */ c"), "a     \n    c");
  EXPECT_EQ(code_only("f(\"x\\\"y\", 'z')"), "f(\"    \", ' ')");
  EXPECT_EQ(code_only("65'536 + 1"), "65'536 + 1");
  EXPECT_EQ(code_only("R\"(a\"b)\" c").size(), std::string("R\"(a\"b)\" c").size());
  EXPECT_EQ(code_only("R\"(a\"b)\" c").substr(8), " c");
}

TEST(RulesTest, RefusesALambdaWithCapturesBesideCoAwait) {
  EXPECT_EQ(beside("co_await f([x] { return x; });"), 1u);
  EXPECT_EQ(beside("co_await f([&x](int i) mutable { return x; });"), 1u);
  EXPECT_EQ(beside("co_spawn(co_await this_coro::executor, [self] { g(); }, done);"), 1u);
  EXPECT_EQ(beside("auto r = co_await f(\n    1,\n    [=] { return 2; });"), 1u);
}

TEST(RulesTest, RefusesABraceListBesideCoAwait) {
  EXPECT_EQ(beside("co_await f({.a = 1});"), 1u);
  EXPECT_EQ(beside("co_await f(Options{\n    .a = 1});"), 1u);
}

TEST(RulesTest, AcceptsWhatIsNamedFirst) {
  EXPECT_EQ(beside("auto work = [x] { return x; };\nco_await f(work);"), 0u);
  EXPECT_EQ(beside("Options o{.a = 1};\nco_await f(std::move(o));"), 0u);
  EXPECT_EQ(beside("co_await f([] { return 1; });"), 0u);
  EXPECT_EQ(beside("co_await f(table[i]);"), 0u);
  EXPECT_EQ(beside("if (co_await f()) {\n  Options o{.a = 1};\n}"), 0u);
  EXPECT_EQ(beside("if (co_await f()) g([x] { return x; });"), 0u);
  EXPECT_EQ(beside("co_spawn(ex, [x] { co_await f(); }, done);\ng([y] { return y; });"), 0u);
  EXPECT_EQ(beside("// never: co_await f([x] {})\n"), 0u);
}

TEST(RulesTest, RefusesDetachedWork) {
  EXPECT_EQ(detached_work({"pipe/a.cc", "co_spawn(ex, f(), asio::detached);"}).size(), 1u);
  EXPECT_EQ(detached_work({"pipe/a.cc", "using boost::asio::detached;"}).size(), 1u);
  EXPECT_EQ(detached_work({"pipe/a.cc", "co_spawn(ex, f(), detached);"}).size(), 1u);
  EXPECT_EQ(detached_work({"pipe/a.cc", "store.detached(name, number);"}).size(), 0u);
  EXPECT_EQ(detached_work({"pipe/a.cc", "bool is_detached_now = false;  // detached"}).size(), 0u);
}

TEST(RulesTest, RefusesAFileOneLineOverTheLimit) {
  const std::string at_limit(kFileLinesMax, '\n');
  EXPECT_EQ(too_long({"pipe/a.cc", at_limit}).size(), 0u);
  EXPECT_EQ(too_long({"pipe/a.cc", at_limit + '\n'}).size(), 1u);
}

}  // namespace
}  // namespace rp::style
