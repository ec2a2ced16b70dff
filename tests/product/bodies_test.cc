#include <random>
#include <string>

#include <gtest/gtest.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"

/// Request bodies and their types on the way to a handler: rows 24 to 29, 38, 39.
namespace rp::product {
namespace {

std::string all_bytes() {
  std::string bytes;
  for (int b = 0; b < 256; ++b) bytes += static_cast<char>(b);
  return bytes;
}

TEST_F(ParityTest, Row24_TheContentTypeComesWithoutParameters) {
  start_parity_pair();
  const auto response = curl(
      {"-X", "POST", "-H", "Content-Type: text/csv;charset=x", "-d", "a,b", C("/server/mimetype")});
  EXPECT_EQ(response.body, "text/csv");
}

TEST_F(ParityTest, Row25_JsonIsDecoded) {
  start_parity_pair();
  const auto response = curl({"-X", "POST", "-H", "Content-Type: application/json; charset=utf-8",
                              "-d", R"({"a": [1, "x"]})", C("/server/decoded")});
  EXPECT_EQ(response.code().value_or("absent"), "0");
  EXPECT_EQ(response.body, R"({"a":[1,"x"]})");
}

TEST_F(ParityTest, Row26_OtherTypesAreRawText) {
  start_parity_pair();
  for (const char* type : {"text/plain", "Application/JSON"}) {
    SCOPED_TRACE(type);
    const auto response = curl({"-X", "POST", "-H", std::string("Content-Type: ") + type, "-d",
                                R"({"a": [1, "x"]})", C("/server/kind")});
    EXPECT_EQ(response.code().value_or("absent"), "0");
    EXPECT_EQ(response.body, "text");
  }
}

TEST_F(ParityTest, Row27_AGetMayHaveABody) {
  start_parity_pair();
  const auto response = curl(
      {"-X", "GET", "-H", "Content-Type: text/plain", "-d", "within a get", C("/server/body")});
  EXPECT_EQ(response.body, "within a get");
}

TEST_F(ParityTest, Row28_NoTypeAndNoBodyAreEmpty) {
  start_parity_pair();
  const auto type = curl({"-X", "POST", C("/server/mimetype")});
  EXPECT_EQ(type.status, 200);
  EXPECT_EQ(type.body, "");
  const auto body = curl({C("/server/body")});
  EXPECT_EQ(body.status, 200);
  EXPECT_EQ(body.body, "");
}

TEST_F(ParityTest, Row29_AChunkedUploadArrives) {
  start_parity_pair();
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "line " + std::to_string(i) + "\n";
  const auto response =
      curl({"-X", "POST", "-H", "Transfer-Encoding: chunked", "-H", "Content-Type: text/plain",
            "--data-binary", data_file("chunked", text), C("/server/echo")});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, text);
}

TEST_F(ParityTest, Row38_EveryByteSurvivesBothWays) {
  start_parity_pair();
  const auto data = data_file("bytes", all_bytes());
  for (const auto& url : {C("/server/echo"), S("/client/alpha/echo")}) {
    SCOPED_TRACE(url);
    const auto response = curl(
        {"-X", "POST", "-H", "Content-Type: application/octet-stream", "--data-binary", data, url});
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.content_type(), "application/octet-stream");
    EXPECT_EQ(response.body, all_bytes());
  }
}

TEST_F(ParityTest, Row39_TenMebibytesBothWaysAtOnceKeepThePipe) {
  start_parity_pair({"--heartbeat-interval", "1"});
  std::string text(10 * 1024 * 1024, '\0');
  std::minstd_rand random(39);  // the same text in every run
  for (auto& c : text) c = static_cast<char>('a' + random() % 26);
  const auto data = data_file("large", text);
  const std::vector<std::string> post = {
      "-X", "POST", "-H", "Content-Type: text/plain", "--data-binary", data};
  auto to_server = post;
  to_server.push_back(C("/server/echo"));
  auto to_client = post;
  to_client.push_back(S("/client/alpha/echo"));
  CurlRun up(to_server);
  CurlRun down(to_client);
  const auto from_server = up.finish();
  const auto from_client = down.finish();
  EXPECT_EQ(from_server.status, 200) << from_server.error;
  EXPECT_EQ(from_client.status, 200) << from_client.error;
  EXPECT_TRUE(from_server.body == text) << from_server.body.size() << " bytes";
  EXPECT_TRUE(from_client.body == text) << from_client.body.size() << " bytes";
  EXPECT_EQ(status_of(client_->rest_port(), "/readyz"), 200);
}

TEST_F(LabTest, TheQueryAndChosenHeadersReachTheHandler) {
  start_parity_pair();
  EXPECT_EQ(curl({C("/server/query?a=1&a=2&b=%20x")}).body, "a=1&a=2&b=%20x");
  const auto headers = curl({"-H", "Accept-Language: de", "-H", "Cookie: secret=1", "-H",
                             "Authorization: Basic c2VjcmV0", C("/server/headers")});
  EXPECT_TRUE(contains(headers.body, "accept-language")) << headers.body;
  EXPECT_TRUE(contains(headers.body, "de")) << headers.body;
  EXPECT_FALSE(contains(headers.body, "cookie")) << headers.body;
  EXPECT_FALSE(contains(headers.body, "authorization")) << headers.body;
}

}  // namespace
}  // namespace rp::product
