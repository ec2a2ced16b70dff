#include "rest/router.h"

#include <memory>

#include <gtest/gtest.h>

#include "tests/rest/front_end.h"

namespace rp::rest::test {
namespace {

TEST(RouterTest, PrefersTheExactPathThenTheLongestPrefix) {
  Router router;
  const auto says = [](const char* name) {
    return [name](const std::shared_ptr<Exchange>& exchange) { exchange->respond(ok(name)); };
  };
  router.prefix("/a/", {}, says("short"));
  router.prefix("/a/b/", {}, says("long"));
  router.exact("/a/b/c", {"GET"}, says("exact"));
  router.exact("/only", {"GET", "POST"}, says("only"));
  const FrontEnd front([&](const std::shared_ptr<Exchange>& exchange) { router(exchange); });
  EXPECT_EQ(front.ask(get("/a/x")).body, "short");
  EXPECT_EQ(front.ask(get("/a/b/x")).body, "long");
  EXPECT_EQ(front.ask(get("/a/b/c")).body, "exact");
  EXPECT_EQ(front.ask(get("/a")).status, 404);
  EXPECT_EQ(front.ask("HEAD /only HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
  const auto refused = front.ask("PUT /only HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.header("allow"), "GET, HEAD, POST");
}

}  // namespace
}  // namespace rp::rest::test
