#include <gtest/gtest.h>

#include "handlers/exec/cgi_head.h"
#include "handlers/exec/child_context.h"
#include "handlers/exec/method_files.h"
#include "handlers/proxy/http_head.h"
#include "handlers/proxy/proxy_address.h"

/// What exec and proxy decide from bytes alone.
namespace rp::handlers {
namespace {

TEST(RelativeLocationTest, LeadsToTheSamePlaceBehindEveryMount) {
  const auto of = [](std::string_view location, std::string_view path) {
    return relative_location(location, "h:1", "a/app", path);
  };
  EXPECT_EQ(of("/x", "/"), "./x");
  EXPECT_EQ(of("/", "/"), "./");
  EXPECT_EQ(of("/", "/a/b/c"), "../../");
  EXPECT_EQ(of("/a/b?c=/d#e", "/x/"), "../a/b?c=/d#e");
  EXPECT_EQ(of("http://H:1/x", "/"), "./x");
  EXPECT_EQ(of("http://h:1", "/y"), "./");
  EXPECT_EQ(of("/x", ""), "./app//x");
  for (const char* other : {"x", "../x", "//h:1/x", "http://h:12/x", "http://h/x", "https://h:1/x",
                            "http://h:1.evil/x", "mailto:x", ""}) {
    EXPECT_EQ(of(other, "/a/b"), other);
  }
}

TEST(ProxyAddressTest, IsHttpOrAUnixSocket) {
  EXPECT_EQ(parse_proxy_address("http://127.0.0.1:3000")->authority(), "127.0.0.1:3000");
  EXPECT_EQ(parse_proxy_address("http://localhost/")->authority(), "localhost");
  EXPECT_EQ(parse_proxy_address("http://[::1]:80")->authority(), "[::1]");
  EXPECT_EQ(parse_proxy_address("unix:/run/blog.sock")->unix_path, "/run/blog.sock");
  for (const char* text : {"", "http://", "http://:80", "http://a:0", "http://a:65536",
                           "http://a:", "http://a/b", "https://a", "http://a b", "http://u@a",
                           "http://[::1", "unix:", "unix:run", "127.0.0.1:1"}) {
    EXPECT_FALSE(parse_proxy_address(text)) << text;
  }
  EXPECT_FALSE(parse_proxy_address("unix:/" + std::string(120, 'x')));
}

TEST(MethodNameTest, IsVerbAndNounWithUnderscores) {
  EXPECT_EQ(method_name("get", "time/utc"), "get_time_utc");
  EXPECT_EQ(method_name("post", "v1.2/a-b_c"), "post_v1.2_a-b_c");
  for (const char* noun : {"", "a b", "a\\b", "a*", "\xc3\xb6", "a:b", "a%2fb"}) {
    EXPECT_EQ(method_name("get", noun), "") << noun;
  }
}

TEST(ErrorLineTest, IsTheLastOneWithShortPaths) {
  EXPECT_EQ(error_line(""), "");
  EXPECT_EQ(error_line(" \n\n"), "");
  EXPECT_EQ(error_line("first\nlast\n\n"), "last");
  EXPECT_EQ(error_line("/srv/x/run.sh: line 3: foo: not found"), "run.sh: line 3: foo: not found");
  EXPECT_EQ(error_line("open('/etc/secret/key.pem') = /tmp/"), "open('key.pem') = tmp");
  EXPECT_EQ(error_line("5/6 done, and/or not"), "5/6 done, and/or not");
  EXPECT_EQ(error_line(std::string(5000, 'x')).size(), 1024U);
}

TEST(CgiHeadTest, WaitsForTheEmptyLine) {
  const std::string head = "Content-Type: text/html\r\nX-A:  b \nStatus: 201 Made\n\n";
  for (std::size_t size = 0; size < head.size(); ++size) {
    EXPECT_EQ(read_cgi_head(head.substr(0, size)).state, CgiHead::State::incomplete) << size;
  }
  const auto cgi = read_cgi_head(head + "body\n\n");
  ASSERT_EQ(cgi.state, CgiHead::State::complete);
  EXPECT_EQ(cgi.bytes, head.size());
  EXPECT_EQ(cgi.head.content_type, "text/html");
  EXPECT_EQ(cgi.head.http_status, 201);
  EXPECT_EQ(cgi.head.headers, (pipe::Headers{{"x-a", "b"}}));
}

TEST(CgiHeadTest, ARedirectionNeedsNoStatus) {
  EXPECT_EQ(read_cgi_head("Location: /x\n\n").head.http_status, 302);
  EXPECT_EQ(read_cgi_head("Location: /x\nStatus: 307\n\n").head.http_status, 307);
  EXPECT_EQ(read_cgi_head("\n").head.http_status, 0);
}

TEST(CgiHeadTest, RefusesWhatIsNoHead) {
  std::string many;
  for (int i = 0; i < 65; ++i) many += "X: 1\n";
  for (const std::string& head :
       {std::string("no colon\n\n"), std::string("A B: c\n\n"), std::string(": x\n\n"),
        std::string("X: a\rb\n\n"), std::string("X: \x01\n\n"), std::string("Status: 99\n\n"),
        std::string("Status: 600 x\n\n"), std::string("Status: 2000\n\n"), many + "\n",
        "X: " + std::string(8193, 'v') + "\n\n", std::string(20'000, 'x')}) {
    EXPECT_EQ(read_cgi_head(head).state, CgiHead::State::malformed) << head.substr(0, 40);
  }
}

}  // namespace
}  // namespace rp::handlers
