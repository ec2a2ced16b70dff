#include "handlers/linger/route.h"

#include <gtest/gtest.h>

namespace rp::handlers::linger {
namespace {

std::string found(std::string_view path, Spelling spelling = Spelling::encoded) {
  const auto result = find_route(path, spelling);
  if (const auto* const route = std::get_if<Route>(&result)) {
    return std::to_string(static_cast<int>(route->resource)) + ' ' + route->channel + '|' +
           route->topic + '|' + route->id;
  }
  return std::get<NoRoute>(result) == NoRoute::unknown ? "unknown" : "bad name";
}

std::string row(Resource resource, const std::string& rest) {
  return std::to_string(static_cast<int>(resource)) + ' ' + rest;
}

TEST(LingerRouteTest, FindsEachPath) {
  EXPECT_EQ(found("/channels"), row(Resource::channels, "||"));
  EXPECT_EQ(found("/channels/a_B-9"), row(Resource::channel, "a_B-9||"));
  EXPECT_EQ(found("/channels/t/stats"), row(Resource::channel_stats, "t||"));
  EXPECT_EQ(found("/channels/stats/stats"), row(Resource::channel_stats, "stats||"));
  EXPECT_EQ(found("/channels/t/topics/x"), row(Resource::subscription, "t|x|"));
  EXPECT_EQ(found("/topics/x/channels"), row(Resource::topic_channels, "|x|"));
  EXPECT_EQ(found("/messages/12/nack"), row(Resource::nack, "||12"));
  EXPECT_EQ(found("/messages/ack"), row(Resource::ack, "||"));
}

TEST(LingerRouteTest, MatchesPathsAsAWhole) {
  for (const char* path :
       {"", "/", "channels", "/channels/", "/channels//t", "/channels/t/", "/channels/t/topics/x/y",
        "/messages", "/messages/a", "/messages/1/x", "/Channels", "/topics/x/y", "/statss"}) {
    EXPECT_EQ(found(path), "unknown") << path;
  }
}

TEST(LingerRouteTest, DecodesNamesOnceWhereTheyAreEncoded) {
  EXPECT_EQ(found("/channels/a%2Fb"), row(Resource::channel, "a/b||"));
  EXPECT_EQ(found("/channels/a%252Fb"), row(Resource::channel, "a%2Fb||"));
  EXPECT_EQ(found("/channels/a%2Fb", Spelling::decoded), row(Resource::channel, "a%2Fb||"));
  EXPECT_EQ(found("/channels/a b.c", Spelling::decoded), row(Resource::channel, "a b.c||"));
  for (const char* path : {"/channels/a.b", "/channels/a+b", "/channels/a~b", "/channels/a:b"}) {
    EXPECT_EQ(found(path), "unknown") << path;
  }
}

TEST(LingerRouteTest, RefusesNamesThatAreNoText) {
  for (const char* path :
       {"/channels/%ff", "/channels/%00", "/channels/a%0Ab", "/channels/t/topics/%7f"}) {
    EXPECT_EQ(found(path), "bad name") << path;
  }
}

}  // namespace
}  // namespace rp::handlers::linger
