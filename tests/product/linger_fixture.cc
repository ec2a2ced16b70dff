#include "tests/product/linger_fixture.h"

namespace rp::product {

std::int64_t LingerTest::put(const std::string& path, const std::string& body) const {
  const auto response = post(path, body);
  EXPECT_EQ(response.status, 202) << response.reason;
  if (response.status != 202) return 0;
  return boost::json::parse(response.body).at("id").as_int64();
}

std::int64_t LingerTest::take(const std::string& channel) const {
  const auto response = get("/channels/" + channel + "?nowait");
  EXPECT_TRUE(response.status == 200 || response.status == 204) << response.reason;
  if (response.status != 200) return 0;
  return std::stoll(response.header("x-linger-msg-id").value_or("-1"));
}

boost::json::value LingerTest::json(const std::string& path) const {
  const auto response = get(path);
  EXPECT_EQ(response.status, 200) << path << ": " << response.reason;
  EXPECT_EQ(response.content_type(), "application/json; charset=UTF-8");
  return response.status == 200 ? boost::json::parse(response.body) : nullptr;
}

void expect_error(const Response& response, const std::string& text, int status) {
  EXPECT_EQ(response.status, status);
  EXPECT_EQ(response.reason, text);
  EXPECT_EQ(response.body, "HTTP " + std::to_string(status) + " " + text + "\n");
  EXPECT_EQ(response.content_type(), "text/plain");
}

void let_pass(TestClock::duration time) { std::this_thread::sleep_for(time); }

}  // namespace rp::product
