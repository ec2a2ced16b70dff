#include "tests/product/harness/expect.h"
#include "tests/product/linger_fixture.h"

/// What the queue's API has beyond Linger's: off unless it is asked for.
namespace rp::product {
namespace {

class LingerMoreTest : public LingerTest {
 protected:
  /// Takes what is ready, with its lease.
  Response lease(const std::string& channel, const std::string& how = "lease") const {
    return get("/channels/" + channel + "?nowait&" + how);
  }
  static std::string lease_of(const Response& taken) {
    return taken.header("x-linger-lease").value_or("");
  }
  static std::string path_of(const Response& taken, const std::string& what = "") {
    return "/messages/" + taken.header("x-linger-msg-id").value_or("") + what +
           "?lease=" + lease_of(taken);
  }
};

TEST_F(LingerMoreTest, ALeaseActsWhileItLasts) {
  start();
  put("/channels/t?timeout=1");
  const auto stale = lease("t");
  ASSERT_NE(lease_of(stale), "");
  const auto current = get("/channels/t?wait=5&lease=60");
  EXPECT_EQ(current.header("x-linger-delivered"), "2");
  for (const char* what : {"", "/touch", "/nack"}) {
    const auto late = send(*what == '\0' ? "DELETE" : "POST", path_of(stale, what));
    expect_error(late, "The lease has ended.", 409);
  }
  EXPECT_EQ(send("POST", path_of(current, "/touch") + "&timeout=0.5").status, 204);
  const auto third = get("/channels/t?wait=5&lease");
  EXPECT_EQ(third.header("x-linger-delivered"), "3");
  EXPECT_EQ(send("DELETE", path_of(third)).status, 204);
  EXPECT_EQ(send("DELETE", path_of(third)).status, 404);
  for (const char* wrong : {"", "x", "1-zz", "2-0000000000000001"}) {
    expect_error(send("DELETE", std::string("/messages/1?lease=") + wrong),
                 "Invalid lease, accepted is the x-linger-lease of this message.");
  }
  for (const char* wrong : {"0", "-1", "x"}) {
    expect_error(lease("t", std::string("lease=") + wrong),
                 "Invalid lease, accepted are seconds above 0, such as 60 or 0.5.");
  }
}

TEST_F(LingerMoreTest, ANackGivesBackAtOnceOrLaterOrForGood) {
  start();
  const auto id = put("/channels/t?dead=grave");
  EXPECT_EQ(send("POST", path_of(lease("t"), "/nack")).status, 204);
  EXPECT_EQ(send("POST", path_of(lease("t"), "/nack") + "&delay=0.6").status, 204);
  EXPECT_EQ(take("t"), 0);
  const auto third = get("/channels/t?wait=5&lease");
  EXPECT_EQ(third.header("x-linger-delivered"), "3");
  EXPECT_EQ(send("POST", path_of(third, "/nack") + "&reject").status, 204);
  const auto dead = get("/channels/grave?nowait");
  EXPECT_EQ(dead.header("x-linger-msg-id"), std::to_string(id));
  EXPECT_EQ(dead.header("x-linger-dead-channel"), "t");
  EXPECT_EQ(dead.header("x-linger-dead-reason"), "rejected");
  expect_error(send("POST", "/messages/1/nack"),
               "A lease is needed, accepted is the x-linger-lease of this message.");
}

TEST_F(LingerMoreTest, DeadLettersAreKeptAndRedriven) {
  start();
  EXPECT_EQ(send("PUT", "/channels/t/settings?dead=grave&deliver=1&timeout=1").status, 204);
  const auto id = put("/channels/t", "again");
  EXPECT_EQ(take("t"), id);
  ASSERT_TRUE(eventually(
      [&] { return get("/channels/grave/stats").body == R"({"ready": 1, "hidden": 0})"; }));
  const auto listed = json("/channels/grave/messages").at("messages").at(0);
  EXPECT_EQ(listed.at("deaths").at(0).at("reason"), "delivery_limit");
  EXPECT_EQ(listed.at("deaths").at(0).at("channel"), "t");
  EXPECT_EQ(send("POST", "/channels/grave/redrive").body, R"({"moved": 1})");
  EXPECT_EQ(get("/channels/t?nowait").header("x-linger-delivered"), "1");
}

TEST_F(LingerMoreTest, DelayedMessagesAreHiddenAtFirst) {
  start();
  const auto id = put("/channels/t?delay=0.7");
  EXPECT_EQ(take("t"), 0);
  const auto response = get("/channels/t?wait=5");
  EXPECT_EQ(response.header("x-linger-msg-id"), std::to_string(id));
  EXPECT_EQ(response.header("x-linger-delivered"), "1");
  EXPECT_NE(put("/channels/u?at=1.5"), 0);
  EXPECT_NE(take("u"), 0) << "the past is now";
  expect_error(post("/channels/t?delay=-1", "x"),
               "Invalid message delay, accepted are seconds from 0, such as 60 or 0.5.");
  expect_error(post("/channels/t?at=soon", "x"),
               "Invalid message time, accepted are seconds since 1970, such as 1700000000.");
  expect_error(get("/channels/t?wait=1h"),
               "Invalid time to wait, accepted are seconds from 0, such as 60 or 0.5.");
}

TEST_F(LingerMoreTest, AMessageOfTheSameDedupIdIsNotStored) {
  start();
  EXPECT_EQ(post("/channels/t?dedup=k", "one").body, R"({"id": 1})");
  EXPECT_EQ(post("/channels/t?dedup=k", "two").body, R"({"id": 1, "duplicate": true})");
  EXPECT_EQ(post("/channels/t?dedup=l", "two").body, R"({"id": 2})");
  send("PUT", "/channels/u/settings?window=0.1");
  EXPECT_EQ(post("/channels/u?dedup=k", "x").body, R"({"id": 3})");
  let_pass(150ms);
  EXPECT_EQ(post("/channels/u?dedup=k", "x").body, R"({"id": 4})");
}

TEST_F(LingerMoreTest, BatchesPutTakeAndAcknowledge) {
  start();
  const auto stored =
      post("/channels/t/batch",
           "[\"a\", {\"body\": \"b, ]\\\"\", \"priority\": -1, \"type\": \"x/y\"},\n"
           "{\"body64\": \"AP8=\", \"dedup\": \"k\"}, {\"body\": \"z\", \"dedup\": \"k\"}]",
           "application/json");
  EXPECT_EQ(stored.status, 202);
  EXPECT_EQ(stored.body, R"({"ids": [1, 2, 3, 3], "duplicates": 1})");
  const auto messages =
      boost::json::parse(get("/channels/t/batch?count=10&lease").body).at("messages").as_array();
  ASSERT_EQ(messages.size(), 3U);
  EXPECT_EQ(messages[0].at("body"), "b, ]\"");
  EXPECT_EQ(messages[0].at("type"), "x/y");
  EXPECT_EQ(messages[1].at("body"), "a");
  EXPECT_EQ(messages[2].at("body64"), "AP8=");
  const auto lease = std::string(messages[0].at("lease").as_string());
  const auto done = post("/messages/ack", "\"" + lease + "\"\n1\n99\n\"" + lease + "\"\n",
                         "application/x-ndjson");
  EXPECT_EQ(done.body, R"({"results": [204, 204, 404, 404]})");
  EXPECT_EQ(get("/channels/t/batch?nowait").status, 204);
  const char* const wrong[] = {
      "", "[]", "[1", "[\"a\"]x", "{\"body\": ", "7", "\"\"", "{\"body\": \"x\", \"timeout\": 0}"};
  for (const char* body : wrong) EXPECT_EQ(post("/channels/t/batch", body).status, 400) << body;
  expect_error(post("/channels/t/batch", R"(["a", {"body": "b", "priority": "c"}])"),
               "Item 1: Invalid message priority.");
  std::string many;
  for (int i = 0; i < 1'001; ++i) many += "\"x\"\n";
  EXPECT_EQ(post("/channels/t/batch", many).status, 400);
  EXPECT_EQ(get("/channels/t/stats").body, R"({"ready": 0, "hidden": 1})") << "all or none";
}

TEST_F(LingerMoreTest, PeekingTakesNothing) {
  start();
  put("/channels/t", "one");
  put("/channels/t?priority=-1", "two");
  put("/channels/t?delay=60", "three");
  const auto all = json("/channels/t/messages").at("messages").as_array();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].at("body"), "two");
  EXPECT_EQ(all[2].at("state"), "delayed");
  const auto some = json("/channels/t/messages?limit=1&offset=1").at("messages").as_array();
  ASSERT_EQ(some.size(), 1U);
  EXPECT_EQ(some[0].at("body"), "one");
  EXPECT_EQ(get("/channels/t/stats").body, R"({"ready": 2, "hidden": 1})");
  for (const char* limit : {"0", "100001", "x"}) {
    EXPECT_EQ(get(std::string("/channels/t/messages?limit=") + limit).status, 400);
  }
}

TEST_F(LingerMoreTest, APausedChannelGivesNothing) {
  start();
  const auto id = put("/channels/t");
  EXPECT_EQ(send("POST", "/channels/t/pause").status, 204);
  EXPECT_EQ(take("t"), 0);
  CurlRun waiter({url("/channels/t")});
  ASSERT_TRUE(eventually([&] { return json("/stats").at("current-waiters") == 1; }));
  EXPECT_EQ(send("POST", "/channels/t/resume").status, 204);
  EXPECT_EQ(waiter.finish().header("x-linger-msg-id"), std::to_string(id));
}

TEST_F(LingerMoreTest, SettingsOfAChannelAreSetAsAWhole) {
  start();
  const auto path = "/channels/t/settings";
  const auto fresh = get(path).body;
  EXPECT_EQ(send("PUT", std::string(path) + "?hlm=1&hlm-bytes=100&linger=60").status, 204);
  EXPECT_EQ(json(path).at("hlm"), 1);
  EXPECT_EQ(put("/channels/t"), 1);
  EXPECT_EQ(post("/channels/t", "x").status, 507);
  EXPECT_EQ(get("/channels/t").header("x-linger-linger"), "60");
  send("PUT", std::string(path) + "?hlm-bytes=3");
  EXPECT_EQ(json(path).at("hlm"), 0);
  expect_error(post("/channels/t", "xyz"), "Channel t holds 1 of at most 3 bytes", 507);
  EXPECT_EQ(send("DELETE", path).status, 204);
  EXPECT_EQ(get(path).body, fresh);
  EXPECT_EQ(send("PUT", std::string(path) + "?dead=t").status, 400);
}

TEST_F(LingerMoreTest, SubscriptionsMayBePatternsAndGroups) {
  start();
  send("PUT", "/channels/all/topics/orders%2E%3E");
  send("PUT", "/channels/one/topics/orders%2Enew?group=g");
  send("PUT", "/channels/two/topics/orders%2Enew?group=g");
  const auto first = boost::json::parse(post("/topics/orders%2Enew", "m").body).as_object();
  const auto second = boost::json::parse(post("/topics/orders%2Enew", "m").body).as_object();
  EXPECT_TRUE(first.contains("all") && second.contains("all"));
  EXPECT_NE(first.contains("one"), second.contains("one"));
  EXPECT_EQ(first.size(), 2U);
}

}  // namespace
}  // namespace rp::product
