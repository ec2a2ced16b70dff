#include "tools/restpipe/front_end.h"

#include <CLI/Error.hpp>
#include <gtest/gtest.h>
#include <stdlib.h>

namespace rp::tools {
namespace {

class FrontEndTest : public testing::Test {
 protected:
  void SetUp() override { ::unsetenv("RESTPIPE_REST"); }
  void TearDown() override { ::unsetenv("RESTPIPE_REST"); }

  static std::string node(const std::string& url, const std::string& flag = "") {
    return to_string(find_destination(url, flag).node);
  }
  static std::string target(const std::string& url) { return find_destination(url, "").target; }
};

TEST_F(FrontEndTest, APathGoesToTheNodeThatRoutesIt) {
  EXPECT_EQ(node("/server/time"), "127.0.0.1:8990");
  EXPECT_EQ(node("/client/workshop/time"), "127.0.0.1:8989");
  EXPECT_EQ(node("/nodes"), "127.0.0.1:8989");
  EXPECT_EQ(node("server/time"), "127.0.0.1:8990");
  EXPECT_EQ(target("server/time"), "/server/time");
}

TEST_F(FrontEndTest, AFlagIsStrongerThanTheVariableThanTheDefault) {
  ::setenv("RESTPIPE_REST", "unix:/run/a.sock,127.0.0.1:1", 1);
  EXPECT_EQ(node("/server/time"), "unix:/run/a.sock");
  EXPECT_EQ(node("/server/time", "127.0.0.1:7"), "127.0.0.1:7");
}

TEST_F(FrontEndTest, AUrlNamesItsNode) {
  EXPECT_EQ(node("http://rpserver.local/server/time"), "rpserver.local:80");
  EXPECT_EQ(node("http://[::1]:8989/x"), "[::1]:8989");
  EXPECT_EQ(node("http://[::1]/x"), "[::1]:80");
  EXPECT_EQ(target("http://a:1"), "/");
  EXPECT_EQ(target("http://a:1/x//y?z=1"), "/x//y?z=1");
}

TEST_F(FrontEndTest, RefusesWhatItCannotReach) {
  EXPECT_THROW(node("https://a/x"), CLI::ValidationError);
  EXPECT_THROW(node("http:///x"), CLI::ValidationError);
  EXPECT_THROW(node("http://a:99999/x"), CLI::ValidationError);
  EXPECT_THROW(node("/x", "nowhere"), CLI::ValidationError);
  ::setenv("RESTPIPE_REST", "nowhere", 1);
  EXPECT_THROW(node("/x"), CLI::ValidationError);
}

TEST_F(FrontEndTest, EncodesOnlyWhatCannotTravel) {
  EXPECT_EQ(encoded_target("/server/cat//hello /world"), "/server/cat//hello%20/world");
  EXPECT_EQ(encoded_target("/a%2Fb?x=1&y=2+3"), "/a%2Fb?x=1&y=2+3");
  EXPECT_EQ(encoded_target("/caf\xc3\xa9#\"\r\n"), "/caf%C3%A9%23%22%0D%0A");
}

}  // namespace
}  // namespace rp::tools
