#include <gtest/gtest.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/nginx_site.h"

/// nginx with the project's sample in front of both nodes.
namespace rp::product {
namespace {

class NginxTest : public NginxSiteTest {
 protected:
  void SetUp() override { start_site({.server = parity_handlers(), .client = parity_handlers()}); }
};

TEST_F(NginxTest, BothVirtualHostsReachTheirNodes) {
  EXPECT_EQ(through("rpclient.local", "/server/number").body, "5");
  EXPECT_EQ(through("rpserver.local", "/client/alpha/number").body, "5");
  EXPECT_EQ(through("rpserver.local", "/client/localhost/number").body, "5");
}

TEST_F(NginxTest, TheAddressArrivesAsItWasWritten) {
  const auto direct = curl({C("/server/cat//a%2Fb//c?x=1&x=2")});
  const auto proxied = through("rpclient.local", "/server/cat//a%2Fb//c?x=1&x=2");
  EXPECT_EQ(proxied.body, direct.body);
  EXPECT_EQ(proxied.body, R"({"result_from_server": "ab"})");
  EXPECT_EQ(through("rpclient.local", "/server/query?a=%20&a=2").body, "a=%20&a=2");
  expect_refusal(through("rpclient.local", "//server/number"), 404);
}

TEST_F(NginxTest, CodesTypesAndErrorsPass) {
  const auto triple = through("rpclient.local", "/server/reply_triple");
  EXPECT_EQ(triple.code().value_or("absent"), "42");
  expect_exception(through("rpclient.local", "/server/raise"), "");
  expect_no_such_method(through("rpclient.local", "/server/nope"));
  expect_refusal(through("rpclient.local", "/favicon.ico"), 404);
  expect_refusal(through("rpclient.local", "/nowhere"), 404);
}

TEST_F(NginxTest, LargeBodiesPassBothWays) {
  std::string text(8 * 1024 * 1024, 'x');
  for (std::size_t i = 0; i < text.size(); i += 4096) text[i] = static_cast<char>('a' + i % 26);
  const auto response = through("rpclient.local", "/server/echo",
                                {"-X", "POST", "-H", "Content-Type: text/plain", "-H",
                                 "Expect:", "--data-binary", data_file("large", text)});
  EXPECT_EQ(response.status, 200) << response.error;
  EXPECT_TRUE(response.body == text) << response.body.size() << " bytes";
}

TEST_F(NginxTest, TheCallersAddressIsForwarded) {
  const auto headers = through("rpclient.local", "/server/headers");
  EXPECT_TRUE(contains(headers.body, "x-forwarded-for")) << headers.body;
}

TEST_F(NginxTest, AForeignHostIsNotServed) {
  // nginx takes its first virtual host for names it does not know; the node then refuses the name.
  const auto response = through("evil.example", "/server/number");
  EXPECT_GE(response.status, 400);
  EXPECT_EQ(response.code(), std::nullopt);
}

}  // namespace
}  // namespace rp::product
