#include "node/endpoint.h"

#include <gtest/gtest.h>

namespace rp::node {
namespace {

TEST(EndpointTest, ReadsHostAndPort) {
  struct Row {
    const char* text;
    HostPort expected;
  };
  for (const Row& row : {Row{"localhost:1234", {"localhost", 1234}},
                         Row{"0.0.0.0:0", {"0.0.0.0", 0}}, Row{"[::1]:65535", {"::1", 65535}},
                         Row{"a_b.example-1.net:80", {"a_b.example-1.net", 80}}}) {
    const auto parsed = parse_host_port(row.text);
    ASSERT_TRUE(parsed) << row.text;
    EXPECT_EQ(*parsed, row.expected) << row.text;
    EXPECT_EQ(to_string(*parsed), row.text);
  }
}

TEST(EndpointTest, RefusesWhatIsNotExactlyAHostAndAPort) {
  for (const char* text : {"",
                           "localhost",
                           ":1234",
                           "localhost:",
                           "localhost:x",
                           "localhost:65536",
                           "localhost:-1",
                           "localhost:+1",
                           "localhost: 1",
                           " localhost:1",
                           "::1:1234",
                           "[::1]",
                           "[::1]1234",
                           "[localhost]:1",
                           "[::1",
                           "a b:1",
                           "a/b:1",
                           "-a:1",
                           ".a:1",
                           "h:0x10",
                           "a:1\n"}) {
    EXPECT_FALSE(parse_host_port(text)) << text;
  }
  EXPECT_FALSE(parse_host_port(std::string(254, 'a') + ":1"));
  EXPECT_TRUE(parse_host_port(std::string(253, 'a') + ":1"));
}

TEST(EndpointTest, ReadsUnixSocketsAndTcpForTheFrontEnd) {
  const auto socket = parse_rest_endpoint("unix:/run/x.sock");
  ASSERT_TRUE(socket);
  EXPECT_TRUE(socket->is_unix());
  EXPECT_EQ(socket->unix_path, "/run/x.sock");

  const auto tcp = parse_rest_endpoint("[::1]:8989");
  ASSERT_TRUE(tcp);
  EXPECT_FALSE(tcp->is_unix());
  EXPECT_EQ(tcp->host, "::1");
  EXPECT_EQ(tcp->port, 8989);
}

TEST(EndpointTest, RefusesSocketPathsThatCannotBeBound) {
  EXPECT_FALSE(parse_rest_endpoint("unix:"));
  EXPECT_FALSE(parse_rest_endpoint("unix:relative.sock"));
  EXPECT_TRUE(parse_rest_endpoint("unix:/" + std::string(106, 'a')));
  EXPECT_FALSE(parse_rest_endpoint("unix:/" + std::string(107, 'a')));
  EXPECT_FALSE(parse_rest_endpoint(std::string_view("unix:/a\0b", 9)));
}

}  // namespace
}  // namespace rp::node
