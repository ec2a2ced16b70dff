#include "tests/style/layers.h"

#include <gtest/gtest.h>

namespace rp::style {
namespace {

std::size_t arrows(std::string path, std::string include) {
  return wrong_arrows({std::move(path), "#pragma once\n#include \"" + include + "\"\n"}).size();
}

TEST(LayersTest, IncludesMayPointDownOrStay) {
  EXPECT_EQ(arrows("tools/main.cc", "server/server.h"), 0u);
  EXPECT_EQ(arrows("server/server.cc", "node/dispatch.h"), 0u);
  EXPECT_EQ(arrows("rest/gate.cc", "pipe/event.h"), 0u);
  EXPECT_EQ(arrows("pipe/link.cc", "certs/store.h"), 0u);
  EXPECT_EQ(arrows("pipe/link.cc", "pipe/core/frame.h"), 0u);
}

TEST(LayersTest, RefusesIncludesThatPointUp) {
  EXPECT_EQ(arrows("pipe/link.cc", "server/registry.h"), 1u);
  EXPECT_EQ(arrows("rest/gate.cc", "node/config.h"), 1u);
  EXPECT_EQ(arrows("certs/store.cc", "pipe/link.h"), 1u);
  EXPECT_EQ(arrows("node/config.cc", "tools/main.h"), 1u);
}

TEST(LayersTest, RefusesIncludesThatPointSideways) {
  EXPECT_EQ(arrows("server/server.cc", "client/client.h"), 1u);
  EXPECT_EQ(arrows("client/client.cc", "server/registry.h"), 1u);
  EXPECT_EQ(arrows("rest/gate.cc", "handlers/plugin.h"), 1u);
  EXPECT_EQ(arrows("handlers/loader.cc", "rest/gate.h"), 1u);
  EXPECT_EQ(arrows("queue/channel.h", "handlers/plugin.h"), 1u);
  EXPECT_EQ(arrows("handlers/loader.cc", "queue/channel.h"), 0u);
}

TEST(LayersTest, ValueHeadersOfThePipeAreForEveryone) {
  EXPECT_EQ(arrows("certs/store.cc", "pipe/error.h"), 0u);
  EXPECT_EQ(arrows("certs/store.cc", "pipe/log.h"), 0u);
}

TEST(LayersTest, RefusesQuotedIncludesThatAreNotFromTheRoot) {
  EXPECT_EQ(arrows("pipe/link.cc", "link.h"), 1u);
  EXPECT_EQ(arrows("pipe/link.cc", "../certs/store.h"), 1u);
}

TEST(LayersTest, SaysWhereTheArrowIs) {
  const auto found =
      wrong_arrows({"pipe/link.cc", "#include <vector>\n\n#include \"server/registry.h\"\n"});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].line, 3u);
  EXPECT_EQ(found[0].what, "pipe/ must not include server/ (server/registry.h): upward");
}

TEST(LayersTest, HeadersDoNotLeakHeavyLibraries) {
  for (const auto* include : {"openssl/ssl.h", "pistache/http.h", "google/protobuf/arena.h",
                              "proto/pipe.pb.h", "boost/asio/ssl/stream.hpp"}) {
    const std::string text = "#include <" + std::string(include) + ">\n";
    EXPECT_EQ(leaked_libraries({"pipe/link.h", text}).size(), 1u) << include;
    EXPECT_EQ(leaked_libraries({"pipe/link.cc", text}).size(), 0u) << include;
  }
  EXPECT_EQ(leaked_libraries({"pipe/link.h", "#include <boost/asio/awaitable.hpp>\n"}).size(), 0u);
}

TEST(LayersTest, TheCoreUsesNoSocketsNoLogAndNoClock) {
  EXPECT_EQ(impure_core({"pipe/core/a.h", "#include <boost/asio/post.hpp>\n"}).size(), 1u);
  EXPECT_EQ(impure_core({"pipe/core/a.cc", "#include \"pipe/log.h\"\n"}).size(), 1u);
  EXPECT_EQ(impure_core({"pipe/core/a.cc", "auto t = Clock::now();\n"}).size(), 1u);
  EXPECT_EQ(impure_core({"pipe/core/a.cc", "// Clock::now() is not for us\n"}).size(), 0u);
  EXPECT_EQ(impure_core({"pipe/link.cc", "auto t = Clock::now();\n"}).size(), 0u);
}

}  // namespace
}  // namespace rp::style
