#include <set>

#include "tests/product/harness/expect.h"
#include "tests/product/linger_fixture.h"

/// The checklist of Linger's behaviour, row by row: what its clients rely on.
namespace rp::product {
namespace {

constexpr const char* kHeaders[] = {"x-linger-msg-id",   "x-linger-channel", "x-linger-priority",
                                    "x-linger-timeout",  "x-linger-deliver", "x-linger-delivered",
                                    "x-linger-received", "x-linger-linger",  "x-linger-topic"};

std::size_t count_linger_headers(const Response& response) {
  std::size_t count = 0;
  for (const auto& [name, value] : response.headers) count += name.starts_with("x-linger-");
  return count;
}

TEST_F(LingerTest, Row01_RootWelcomes) {
  start();
  const auto welcome = json("/").as_object();
  EXPECT_EQ(welcome.at("Linger"), "Welcome");
  for (const char* key : {"version", "id", "hostname"}) {
    EXPECT_FALSE(welcome.at(key).as_string().empty()) << key;
  }
  EXPECT_EQ(get("/").header("server"), "Linger " + std::string(welcome.at("id").as_string()));
  EXPECT_EQ(get("/channels").header("server"), get("/").header("server"));
}

TEST_F(LingerTest, Row02_ChannelsAreListed) {
  start();
  EXPECT_EQ(get("/channels").body, R"({"channels": []})");
  const auto response = form("/channels/t", "msg=hi");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.body, R"({"id": 1})");
  EXPECT_EQ(get("/channels").body, R"({"channels": ["t"]})");
}

TEST_F(LingerTest, Row03_AMessageComesWithNineHeaders) {
  start();
  form("/channels/t", "msg=hi");
  const auto response = get("/channels/t");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "hi");
  EXPECT_EQ(response.content_type(), "text/plain");
  const char* const values[] = {"1", "t", "0", "30", "0", "1", "0", "0", ""};
  for (std::size_t i = 0; i < std::size(kHeaders); ++i) {
    EXPECT_EQ(response.header(kHeaders[i]).value_or("absent"), values[i]) << kHeaders[i];
  }
  EXPECT_EQ(count_linger_headers(response), std::size(kHeaders));
}

TEST_F(LingerTest, Row04_NothingReadyIs204WithTheChannelOnly) {
  start();
  put("/channels/t");
  take("t");
  for (const char* path : {"/channels/t?nowait", "/channels/t?nowait=0", "/channels/t?nowait="}) {
    const auto response = get(path);
    EXPECT_EQ(response.status, 204);
    EXPECT_EQ(response.header("x-linger-channel").value_or("absent"), "t");
    EXPECT_EQ(count_linger_headers(response), 1U);
    EXPECT_FALSE(response.header("content-type"));
  }
  EXPECT_EQ(get("/channels/t/stats").body, R"({"ready": 0, "hidden": 1})");
}

TEST_F(LingerTest, Row05_AMessageComesBackAfterItsTimeout) {
  start();
  const auto id = put("/channels/t?timeout=1");
  const auto taken = TestClock::now();
  EXPECT_EQ(take("t"), id);
  const auto again = get("/channels/t?wait=15");
  EXPECT_EQ(again.header("x-linger-msg-id"), std::to_string(id));
  EXPECT_EQ(again.header("x-linger-delivered"), "2");
  EXPECT_GE(TestClock::now() - taken, 1s);
}

TEST_F(LingerTest, Row06_AMessageIsKeptForItsTime) {
  start();
  put("/channels/t?linger=1");
  let_pass(1050ms);
  EXPECT_EQ(take("t"), 0) << "refused at delivery, not at a later tick";
  EXPECT_TRUE(eventually([&] { return get("/channels").body == R"({"channels": []})"; }));
}

TEST_F(LingerTest, Row07_AMessageIsDeliveredAsOftenAsItMay) {
  start();
  put("/channels/t?deliver=1&timeout=1");
  EXPECT_NE(take("t"), 0);
  let_pass(1050ms);
  EXPECT_EQ(take("t"), 0);
  EXPECT_TRUE(
      eventually([&] { return get("/channels/t/stats").body == R"({"ready": 0, "hidden": 0})"; }));
}

TEST_F(LingerTest, Row08_LowerPrioritiesComeFirstThenOlderMessages) {
  start();
  const auto first = put("/channels/t");
  const auto second = put("/channels/t?priority=0");
  const auto last = put("/channels/t?priority=5");
  const auto urgent = put("/channels/t?priority=-1");
  for (const auto id : {urgent, first, second, last}) EXPECT_EQ(take("t"), id);
}

TEST_F(LingerTest, Row09_BodiesComeBackByteForByteWithTheirType) {
  start();
  post("/channels/t", R"({"a": 1})", "application/json; charset=utf-8");
  auto response = get("/channels/t");
  EXPECT_EQ(response.body, R"({"a": 1})");
  EXPECT_EQ(response.content_type(), "application/json; charset=utf-8");
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  post("/channels/t", bytes, "application/octet-stream");
  response = get("/channels/t");
  EXPECT_EQ(response.body, bytes);
  EXPECT_EQ(response.content_type(), "application/octet-stream");
  curl({"-X", "POST", "-H", "Content-Type:", "--data-raw", "z", url("/channels/t")});
  EXPECT_EQ(get("/channels/t").content_type(), "text/plain");
}

TEST_F(LingerTest, Row10_FormsMayHoldTheMessage) {
  start();
  form("/channels/t", "a=1&b=+2");
  auto response = get("/channels/t");
  EXPECT_EQ(response.body, "a=1&b=+2");
  EXPECT_EQ(response.content_type(), "application/x-www-form-urlencoded");
  curl({"-F", "msg= from a part ", "-F", "priority=3", url("/channels/t")});
  response = get("/channels/t");
  EXPECT_EQ(response.body, "from a part");
  EXPECT_EQ(response.content_type(), "text/plain");
  EXPECT_EQ(response.header("x-linger-priority"), "3");
  send("POST", "/channels/t?msg=from+the%20query");
  EXPECT_EQ(get("/channels/t").body, "from the query");
  form("/channels/t?msg=a&priority=1", "msg=b&msg=c&priority=2");
  response = get("/channels/t");
  EXPECT_EQ(response.body, "c");
  EXPECT_EQ(response.header("x-linger-priority"), "2");
}

TEST_F(LingerTest, Row11_BodiesHaveOneTo256000Bytes) {
  start();
  expect_error(post("/channels/t", ""), "Message is empty.");
  expect_error(form("/channels/t", "msg=%20%20"), "Message is empty.");
  EXPECT_EQ(post("/channels/t", std::string(256'000, 'x')).status, 202);
  const char* const text = "The message size 256001 bytes exceed the maximum allowed 256000 bytes.";
  expect_error(post("/channels/t", std::string(256'001, 'x')), text);
  std::string letters = "msg=";  // each of two bytes: they are what counts
  for (int i = 0; i < 128'001; ++i) letters += "\xc3\xa9";
  const auto response = curl({"--data-binary", data_file("form", letters), url("/channels/t")});
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(get("/channels/t/stats").body, R"({"ready": 1, "hidden": 0})");
}

TEST_F(LingerTest, Row12_WrongParametersAreNamed) {
  start();
  const std::pair<const char*, const char*> rows[] = {
      {"priority=abc", "Invalid message priority."},
      {"priority=", "Invalid message priority."},
      {"priority=9223372036854775808", "Invalid message priority."},
      {"timeout=0", "Invalid message visibility timeout."},
      {"timeout=1.5", "Invalid message visibility timeout."},
      {"deliver=-1", "Invalid message delivery limit."},
      {"linger=-1", "Invalid message delivery limit."},
      {"linger=x&deliver=x&timeout=x&priority=x", "Invalid message priority."},
  };
  for (const auto& [query, text] : rows) {
    SCOPED_TRACE(query);
    expect_error(post(std::string("/channels/t?") + query, ""), text);
    expect_error(send("PUT", std::string("/channels/t/topics/x?") + query), text);
  }
  EXPECT_EQ(post("/channels/t?priority=%205%20&timeout=%2B5&deliver=1_0&foo=bar", "x").status, 202);
  const auto message = get("/channels/t");
  EXPECT_EQ(message.header("x-linger-priority"), "5");
  EXPECT_EQ(message.header("x-linger-timeout"), "5");
  EXPECT_EQ(message.header("x-linger-deliver"), "10");
  EXPECT_EQ(post("/channels/t?msg=%ff", "x").status, 400);
}

TEST_F(LingerTest, Row13_AHighLevelMarkRefuses) {
  start({"--queue-messages-max", "2"});
  put("/channels/t");
  put("/channels/t");
  take("t");
  const char* const text = "Channel t is at the high-level mark with 2 messages";
  expect_error(post("/channels/t", "x"), text, 507);
  send("PUT", "/channels/t/topics/x");
  send("PUT", "/channels/u/topics/x");
  const auto published = post("/topics/x", "x");
  EXPECT_EQ(published.status, 202);
  EXPECT_EQ(published.body, R"({"u": 3})");
  EXPECT_EQ(published.header("x-linger-refused"), "t");
  expect_error(post("/topics/x?strict", "x"), text, 507);
  EXPECT_EQ(get("/channels/u/stats").body, R"({"ready": 1, "hidden": 0})");
}

TEST_F(LingerTest, Row14_WaitersAreServedAtOnceAndInOrder) {
  start();
  CurlRun first({url("/channels/t")});
  ASSERT_TRUE(eventually([&] { return json("/stats").at("current-waiters") == 1; }));
  CurlRun second({url("/channels/t")});
  ASSERT_TRUE(eventually([&] { return json("/stats").at("current-waiters") == 2; }));
  put("/channels/t", "one");
  put("/channels/t", "two");
  EXPECT_EQ(first.finish().body, "one");
  EXPECT_EQ(second.finish().body, "two");
}

TEST_F(LingerTest, Row15_AWaitEndsWith204) {
  start();
  const auto response = get("/channels/t?wait=1.2");
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.header("x-linger-channel"), "t");
  EXPECT_GE(response.seconds, 1.2);
  const auto bounded = curl({"-H", "Request-Timeout: 5", url("/channels/t")});
  EXPECT_EQ(bounded.status, 204) << "who bounds the call hears that nothing came";
}

TEST_F(LingerTest, Row16_AWaiterThatHungUpSwallowsNothing) {
  start();
  for (int i = 0; i < 10; ++i) {
    {
      CurlRun waiter({url("/channels/t")});
      ASSERT_TRUE(eventually([&] { return json("/stats").at("current-waiters") == 1; }));
    }
    ASSERT_TRUE(eventually([&] { return json("/stats").at("current-waiters") == 0; }));
    const auto id = put("/channels/t");
    const auto response = get("/channels/t?nowait");
    EXPECT_EQ(response.header("x-linger-msg-id"), std::to_string(id));
    EXPECT_EQ(response.header("x-linger-delivered"), "1");
  }
}

TEST_F(LingerTest, Row17_TouchHidesAgain) {
  start();
  const auto id = put("/channels/t?timeout=4");
  take("t");
  const auto touch = "/messages/" + std::to_string(id) + "/touch";
  for (int i = 0; i < 2; ++i) {
    let_pass(2100ms);
    EXPECT_EQ(send("POST", touch).status, 204);
    EXPECT_EQ(take("t"), 0);
  }
  EXPECT_EQ(get("/channels/t?wait=15").header("x-linger-delivered"), "2");
  const auto waiting = put("/channels/u");
  EXPECT_EQ(send("POST", "/messages/" + std::to_string(waiting) + "/touch").status, 204);
  EXPECT_EQ(get("/channels/u/stats").body, R"({"ready": 0, "hidden": 1})");
  for (const char* unknown : {"99", "18446744073709551616"}) {
    const auto response = send("POST", std::string("/messages/") + unknown + "/touch");
    EXPECT_EQ(response.status, 404);
    EXPECT_EQ(response.reason, "Message not found.");
    EXPECT_EQ(response.body, "");
  }
}

TEST_F(LingerTest, Row18_DeleteWorksInEveryState) {
  start();
  const auto ready = put("/channels/t");
  EXPECT_EQ(send("DELETE", "/messages/" + std::to_string(ready)).status, 204);
  const auto hidden = put("/channels/t");
  take("t");
  EXPECT_EQ(send("DELETE", "/messages/" + std::to_string(hidden)).status, 204);
  const auto again = send("DELETE", "/messages/" + std::to_string(hidden));
  EXPECT_EQ(again.status, 404);
  EXPECT_EQ(again.reason, "Message not found.");
  EXPECT_EQ(again.body, "");
}

TEST_F(LingerTest, Row19_DrainDeletesMessagesOnly) {
  start();
  send("PUT", "/channels/t/topics/x");
  put("/channels/t");
  put("/channels/t");
  take("t");
  EXPECT_EQ(send("DELETE", "/channels/t").status, 204);
  EXPECT_EQ(get("/channels/t/stats").body, R"({"ready": 0, "hidden": 0})");
  EXPECT_EQ(get("/channels/t/topics").body, R"({"topics": ["x"]})");
  EXPECT_EQ(send("DELETE", "/channels/unknown").status, 204);
}

TEST_F(LingerTest, Row20_SubscriptionsAreListedAndReplaced) {
  start();
  EXPECT_EQ(send("PUT", "/channels/t/topics/x").status, 204);
  EXPECT_EQ(get("/channels/t/topics").body, R"({"topics": ["x"]})");
  EXPECT_EQ(get("/topics/x/channels").body, R"({"channels": ["t"]})");
  EXPECT_EQ(get("/topics").body, R"({"topics": ["x"]})");
  EXPECT_EQ(curl({"-X", "PUT", "-d", "priority=7", url("/channels/t/topics/x")}).status, 204);
  EXPECT_EQ(post("/topics/x", "m").body, R"({"t": 1})");
  EXPECT_EQ(get("/channels/t").header("x-linger-priority"), "7");
  EXPECT_EQ(take("t"), 0);
}

TEST_F(LingerTest, Row21_PublishedMessagesHaveTheSubscriptionsParameters) {
  start();
  EXPECT_EQ(post("/topics/x", "").body, "{}");
  EXPECT_EQ(post("/topics/x", std::string(300'000, 'x')).body, "{}");
  send("PUT", "/channels/t/topics/x?priority=2&timeout=9&deliver=3&linger=60");
  send("PUT", "/channels/u/topics/x");
  EXPECT_EQ(post("/topics/x?priority=-5", "m").body, R"({"t": 1, "u": 2})");
  const auto response = get("/channels/t");
  EXPECT_EQ(response.body, "m");
  EXPECT_EQ(response.header("x-linger-topic"), "x");
  const char* const values[] = {"2", "9", "3", "60"};
  const char* const names[] = {"x-linger-priority", "x-linger-timeout", "x-linger-deliver",
                               "x-linger-linger"};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(response.header(names[i]), values[i]) << names[i];
  expect_error(post("/topics/x", ""), "Message is empty.");
  EXPECT_EQ(post("/topics/x", std::string(256'001, 'x')).status, 400);
}

TEST_F(LingerTest, Row22_UnsubscribedTopicsAndEmptyChannelsVanish) {
  start();
  send("PUT", "/channels/t/topics/x");
  EXPECT_EQ(get("/channels").body, R"({"channels": ["t"]})");
  EXPECT_EQ(send("DELETE", "/channels/t/topics/x").status, 204);
  EXPECT_EQ(send("DELETE", "/channels/t/topics/x").status, 204);
  EXPECT_EQ(get("/topics").body, R"({"topics": []})");
  EXPECT_EQ(get("/channels").body, R"({"channels": []})");
}

TEST_F(LingerTest, Row23_ALongPolledChannelStaysListed) {
  start();
  get("/channels/asked?nowait");
  EXPECT_EQ(get("/channels").body, R"({"channels": []})");
  get("/channels/polled?wait=0.1");
  EXPECT_EQ(get("/channels").body, R"({"channels": ["polled"]})");
}

TEST_F(LingerTest, Row24_NamesAreDecodedOnce) {
  start();
  const std::pair<const char*, const char*> rows[] = {
      {"a%20b", "a b"}, {"a%2Fb", "a/b"}, {"a%2Eb", "a.b"}, {"a%252Fb", "a%2Fb"}};
  for (const auto& [written, name] : rows) {
    SCOPED_TRACE(written);
    put(std::string("/channels/") + written);
    const auto response = get(std::string("/channels/") + written + "?nowait");
    EXPECT_EQ(response.header("x-linger-channel"), name);
    const auto names = json("/channels").at("channels").as_array();
    EXPECT_NE(std::find(names.begin(), names.end(), boost::json::value(name)), names.end());
  }
  put("/channels/%E6%97%A5");  // what Latin-1 has no letters for
  EXPECT_EQ(get("/channels/%E6%97%A5").header("x-linger-channel"), "%E6%97%A5");
  EXPECT_TRUE(contains(get("/channels").body, "\"\\u65e5\""));
  for (const char* wrong : {"/channels/a.b", "/channels/a+b", "/channels/a:b", "/channels/a~b"}) {
    EXPECT_EQ(get(wrong).status, 404) << wrong;
  }
  EXPECT_EQ(get("/channels/%ff?nowait").status, 400);
}

TEST_F(LingerTest, Row25_WrongMethodsAre405AndUnknownPaths404) {
  start();
  const std::pair<const char*, const char*> rows[] = {
      {"PUT", "/channels/t"}, {"GET", "/messages/1"},
      {"GET", "/topics/x"},   {"DELETE", "/channels"},
      {"PATCH", "/stats"},    {"OPTIONS", "/channels"},
      {"POST", "/"}};
  for (const auto& [method, path] : rows) {
    SCOPED_TRACE(std::string(method) + path);
    expect_error(send(method, path), "Method Not Allowed", 405);
  }
  put("/channels/t");
  EXPECT_EQ(curl({"-I", url("/channels/t")}).status, 405);
  EXPECT_EQ(get("/channels/t/stats").body, R"({"ready": 1, "hidden": 0})");
  for (const char* path : {"/channels/", "/channels/t/", "/channels/t/nope", "/messages/abc",
                           "/messages/", "/topics/x/", "/nope", "/channels//t"}) {
    expect_refusal(get(path), 404);
  }
}

TEST_F(LingerTest, Row26_StatsHaveWhatLingersHave) {
  start();
  const auto fresh = json("/stats").as_object();
  for (const char* key : {"start", "current-topics", "current-subscriptions", "current-channels",
                          "current-messages", "current-messages-ready", "current-messages-hidden",
                          "current-messages-urgent", "current-messages-niced", "current-uptime",
                          "db-size", "pid", "rusage-utime", "rusage-stime", "msg-max-size"}) {
    EXPECT_TRUE(fresh.contains(key) && fresh.at(key).is_number()) << key;
  }
  for (const char* key : {"db-file", "version", "id", "hostname"}) {
    EXPECT_TRUE(fresh.contains(key) && fresh.at(key).is_string()) << key;
  }
  EXPECT_TRUE(fresh.at("msg-max-id").is_null());
  EXPECT_EQ(fresh.at("db-size"), -1);
  EXPECT_FALSE(fresh.contains("msg-add"));
  put("/channels/t?priority=-1");
  put("/channels/t?priority=1");
  take("t");
  send("PUT", "/channels/t/topics/x");
  send("PUT", "/channels/t/topics/y");
  post("/topics/x", "m");
  const auto used = json("/stats").as_object();
  const std::pair<const char*, int> rows[] = {{"msg-add", 3},
                                              {"msg-get", 1},
                                              {"delivered", 1},
                                              {"publish", 1},
                                              {"subscription-add", 2},
                                              {"current-messages", 3},
                                              {"current-messages-ready", 2},
                                              {"current-messages-hidden", 1},
                                              {"current-messages-urgent", 1},
                                              {"current-messages-niced", 1},
                                              {"current-topics", 2},
                                              {"current-subscriptions", 2},
                                              {"current-channels", 1},
                                              {"msg-max-id", 3}};
  for (const auto& [key, value] : rows) EXPECT_EQ(used.at(key), value) << key;
}

TEST_F(LingerTest, Row29_ANodeThatEndsKeepsNoWaiters) {
  start({"--drain-timeout", "120"});
  CurlRun waiter({url("/channels/t")});
  ASSERT_TRUE(eventually([&] { return json("/stats").at("current-waiters") == 1; }));
  EXPECT_EQ(server_->stop(), 0) << "the wait ends in 120 s, and so may the drain";
  EXPECT_EQ(waiter.finish().status, 204);
}

TEST_F(LingerTest, Row30_NothingIsEver304) {
  start();
  const auto tag = get("/channels").header("etag").value_or("");
  EXPECT_EQ(tag.size(), 32U);
  EXPECT_EQ(tag.find_first_not_of("0123456789abcdef"), std::string::npos);
  const auto again = curl({"-H", "If-None-Match: " + tag, url("/channels")});
  EXPECT_EQ(again.status, 200);
  EXPECT_NE(again.header("etag"), tag);
}

}  // namespace
}  // namespace rp::product
