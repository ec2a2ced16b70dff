#include "tests/product/harness/expect.h"

#include <chrono>
#include <regex>

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace rp::product {

void expect_reply(const Response& response, std::string_view code, std::string_view content_type,
                  std::string_view body) {
  EXPECT_EQ(response.status, 200) << response.error << response.body;
  EXPECT_EQ(response.code().value_or("absent"), code);
  EXPECT_EQ(response.content_type(), content_type);
  EXPECT_EQ(response.body, body);
}

void expect_time(const Response& response, std::string_view key) {
  EXPECT_EQ(response.status, 200) << response.error << response.body;
  EXPECT_EQ(response.code().value_or("absent"), "0");
  EXPECT_EQ(response.content_type(), "application/json");
  const std::regex shape("\\{\"" + std::string(key) + "\": ([0-9]+\\.[0-9]{1,6})\\}");
  std::smatch match;
  ASSERT_TRUE(std::regex_match(response.body, match, shape)) << response.body;
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  EXPECT_NEAR(std::stod(match[1]), now.count(), 2.0);
}

void expect_exception(const Response& response, std::string_view class_name,
                      std::string_view message_part) {
  EXPECT_EQ(response.status, 200) << response.error << response.body;
  EXPECT_EQ(response.code().value_or("absent"), "251");
  EXPECT_EQ(response.content_type(), "application/json");
  boost::system::error_code ec;
  const auto value = boost::json::parse(response.body, ec);
  ASSERT_FALSE(ec) << "not JSON: " << response.body;
  ASSERT_TRUE(value.is_object() && value.as_object().contains("exception")) << response.body;
  EXPECT_EQ(value.as_object().size(), 1u) << response.body;
  const auto& exception = value.at("exception").as_object();
  EXPECT_EQ(exception.size(), 3u) << response.body;
  for (const char* key : {"message", "traceback", "class"}) {
    ASSERT_TRUE(exception.contains(key) && exception.at(key).is_string()) << response.body;
    EXPECT_FALSE(exception.at(key).as_string().empty()) << key << " is empty: " << response.body;
  }
  if (!class_name.empty()) {
    EXPECT_EQ(std::string_view(exception.at("class").as_string()), class_name);
  }
  EXPECT_NE(std::string_view(exception.at("message").as_string()).find(message_part),
            std::string_view::npos)
      << response.body;
}

void expect_no_such_method(const Response& response) {
  expect_reply(response, "255", "text/plain", "");
}

void expect_refusal(const Response& response, int status) {
  EXPECT_EQ(response.status, status) << response.error << response.body;
  EXPECT_EQ(response.code(), std::nullopt);
}

}  // namespace rp::product
