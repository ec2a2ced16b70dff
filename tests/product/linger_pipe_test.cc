#include <filesystem>
#include <set>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/socket.h"
#include "tests/product/linger_fixture.h"

/// The message queue over restarts, through pipes, and with many waiters at once.
namespace rp::product {
namespace {

class LingerPipeTest : public LingerTest {
 protected:
  /// Through the client node.
  std::string via(const std::string& path) const { return C("/server" + path); }
  std::string data() const { return authority_.scratch("data").string(); }
  bool waiters(int count) const {
    return eventually([&] { return json("/stats").at("current-waiters") == count; });
  }
};

/// One request on a connection of its own.
std::optional<Socket> asked(std::uint16_t port, const std::string& path) {
  auto socket = connect_to(port);
  const auto request = "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
  if (!socket || !send_all(*socket, request)) return std::nullopt;
  return socket;
}

std::string answer_of(const Socket& socket) {
  std::string answer;
  const auto deadline = TestClock::now() + 60s;
  while (receive_some(socket, answer, deadline)) {
  }
  return answer;
}

TEST_F(LingerPipeTest, Row27_WithDataEverythingSurvivesAKill) {
  start({"--data", data()});
  const auto server_id = json("/").at("id");
  const auto hidden = put("/channels/t?timeout=60", "hidden");
  take("t");
  const auto ready = put("/channels/t?priority=3", "ready");
  const auto gone = put("/channels/t", "gone");
  send("DELETE", "/messages/" + std::to_string(gone));
  send("PUT", "/channels/t/topics/x?priority=4");
  send("PUT", "/channels/t/settings?hlm=17");
  server_->process().kill();
  restart_server({"--data", data()});
  ASSERT_TRUE(server_->ready());
  EXPECT_EQ(json("/").at("id"), server_id);
  EXPECT_EQ(get("/channels/t/stats").body, R"({"ready": 1, "hidden": 1})");
  const auto listed = json("/channels/t/messages").at("messages").as_array();
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(listed[0].at("id"), ready);
  EXPECT_EQ(listed[1].at("id"), hidden);
  EXPECT_EQ(listed[1].at("state"), "leased");
  EXPECT_EQ(get("/topics/x/channels").body, R"({"channels": ["t"]})");
  EXPECT_EQ(json("/channels/t/settings").at("hlm"), 17);
  EXPECT_EQ(take("t"), ready);
  EXPECT_GT(put("/channels/t"), gone) << "ids are never used twice";
  EXPECT_TRUE(contains(std::string(json("/stats").at("db-file").as_string()), data()));
}

TEST_F(LingerPipeTest, Row28_ADataDirectoryThatIsNoneEndsTheStart) {
  const auto file = authority_.scratch("file");
  write_text(file, "x");
  Process process(node_command(
      Role::server, {.identity = authority_.server(), .flags = {"--data", file.string()}}));
  EXPECT_EQ(process.wait(), 1);
  EXPECT_TRUE(contains(process.err(), file.string())) << process.err();
}

TEST_F(LingerPipeTest, ASecondProcessIsRefused) {
  start({"--data", data()});
  Process second(
      node_command(Role::server, {.identity = authority_.server(), .flags = {"--data", data()}}));
  EXPECT_EQ(second.wait(), 1);
  EXPECT_TRUE(contains(second.err(), "message store")) << second.err();
}

TEST_F(LingerPipeTest, Row31_AThousandWaitersGetOneMessageEach) {
  start();
  constexpr int kWaiters = 1'000;
  std::vector<Socket> waiters;
  for (int i = 0; i < kWaiters; ++i) {
    auto socket = asked(server_->rest_port(), "/channels/t");
    ASSERT_TRUE(socket);
    waiters.push_back(std::move(*socket));
  }
  ASSERT_TRUE(this->waiters(kWaiters));
  std::string batch = "[\"x\"";
  for (int i = 1; i < kWaiters; ++i) batch += ", \"x\"";
  ASSERT_EQ(post("/channels/t/batch", batch + "]", "application/json").status, 202);
  std::set<std::string> ids;
  for (const auto& waiter : waiters) {
    const auto answer = answer_of(waiter);
    const auto at = answer.find("x-linger-msg-id: ");
    ASSERT_NE(at, std::string::npos) << answer;
    EXPECT_TRUE(ids.insert(answer.substr(at + 17, answer.find('\r', at) - at - 17)).second);
  }
  EXPECT_EQ(get("/channels/t/stats").body, R"({"ready": 0, "hidden": 1000})");
}

TEST_F(LingerPipeTest, AClientReachesTheServersChannelsByItsOwnFrontEnd) {
  start_pair();
  for (const char* path : {"/channels/jobs", "/channels//jobs"}) {
    SCOPED_TRACE(path);
    const auto stored = curl({"-H", "Content-Type: a/b; c=d", "-d", "work", via(path)});
    EXPECT_EQ(stored.status, 202);
    EXPECT_EQ(stored.header("server"), get("/").header("server"));
    const auto taken = curl({via(path)});
    EXPECT_EQ(taken.status, 200);
    EXPECT_EQ(taken.body, "work");
    EXPECT_EQ(taken.content_type(), "a/b; c=d");
    EXPECT_EQ(taken.header("x-linger-channel"), "jobs");
    const auto id = taken.header("x-linger-msg-id").value_or("");
    EXPECT_EQ(curl({"-X", "DELETE", via("/messages/" + id)}).status, 204);
    const auto again = curl({"-X", "DELETE", via("/messages/" + id)});
    EXPECT_EQ(again.status, 404);
    EXPECT_EQ(again.reason, "Message not found.");
  }
  curl({"-d", "x", via("/channels/a%2Fb")});
  EXPECT_EQ(take("a%2Fb"), 3);
  expect_error(curl({"-d", "", via("/channels/jobs")}), "Message is empty.");
  expect_error(curl({"-I", via("/channels/jobs")}).status == 405
                   ? curl({"-X", "PUT", via("/channels/jobs")})
                   : Response{},
               "Method Not Allowed", 405);
  EXPECT_EQ(curl({via("/channels/")}).status, 404);
  EXPECT_EQ(
      curl({"--data-binary", data_file("large", std::string(256'001, 'x')), via("/channels/jobs")})
          .status,
      400);
  EXPECT_EQ(curl({C("/channels")}).status, 404) << "a client node has no queue of its own";
}

TEST_F(LingerPipeTest, AClientOfLingersWorksUnchanged) {
  start();
  const auto script = std::string(RP_SOURCE_DIR) + "/tests/product/linger_client_test.py";
  Process client({.argv = {"python3", script, server_->base()}});
  EXPECT_EQ(client.wait(60s), 0) << client.err();
  EXPECT_EQ(client.out(), "ok\n");
}

TEST_F(LingerPipeTest, WaitersBehindAPipeAreServedInOrder) {
  start_pair();
  CurlRun far({via("/channels//jobs")});
  ASSERT_TRUE(waiters(1));
  CurlRun near({url("/channels/jobs")});
  ASSERT_TRUE(waiters(2));
  put("/channels/jobs", "one");
  put("/channels/jobs", "two");
  EXPECT_EQ(far.finish().body, "one");
  EXPECT_EQ(near.finish().body, "two");
}

TEST_F(LingerPipeTest, AWaiterBehindAPipeThatHungUpSwallowsNothing) {
  start_pair();
  for (int i = 0; i < 10; ++i) {
    {
      CurlRun waiter({via("/channels//jobs")});
      ASSERT_TRUE(waiters(1));
    }
    ASSERT_TRUE(waiters(0));
    const auto id = put("/channels/jobs");
    EXPECT_EQ(take("jobs"), id);
  }
}

TEST_F(LingerPipeTest, WaitersThatLeaveWhileMessagesComeLoseNone) {
  start();
  constexpr int kMessages = 200;
  for (int i = 0; i < kMessages; ++i) {
    auto socket = asked(server_->rest_port(), "/channels/t");
    ASSERT_TRUE(socket);
    socket->close();
    raw_http(server_->rest_port(),
             "POST /channels/t?timeout=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
             "Content-Length: 1\r\n\r\nx");
  }
  std::set<std::int64_t> ids;
  EXPECT_TRUE(eventually([&] {
    const auto batch = get("/channels/t/batch?wait=1&lease=60");
    if (batch.status != 200) return false;
    const auto list = boost::json::parse(batch.body).at("messages");
    for (const auto& message : list.as_array()) ids.insert(message.at("id").as_int64());
    return ids.size() == kMessages;
  })) << ids.size();
}

TEST_F(LingerPipeTest, APolicyCoversChannels) {
  const auto policy = authority_.scratch("policy.toml");
  write_text(policy,
             "default = \"deny\"\n[[rule]]\nfrom = \"alpha\"\nto = \"server\"\n"
             "nouns = \"channels/jobs\"\ndecision = \"allow\"\n");
  server_ = make_server({.flags = {"--policy", policy.string()}});
  client_ = make_client();
  ASSERT_TRUE(client_->ready());
  EXPECT_EQ(curl({"-d", "x", via("/channels/jobs")}).status, 202);
  EXPECT_EQ(curl({"-d", "x", via("/channels/other")}).status, 403);
  EXPECT_EQ(curl({"-d", "x", via("/channels/jobs%2Fother")}).status, 403);
  EXPECT_EQ(curl({"-d", "x", via("/channels//jobs")}).status, 403)
      << "an argument is no part of the noun, which is all channels then";
}

TEST_F(LingerPipeTest, AClientNodeMayHaveAQueueOfItsOwnAndAServerNone) {
  server_ = make_server({.flags = {"--queue=false"}});
  client_ = make_client({.flags = {"--queue"}});
  ASSERT_TRUE(client_->ready());
  EXPECT_EQ(curl({"-d", "x", C("/channels/t")}).status, 202);
  EXPECT_EQ(curl({C("/channels/t")}).body, "x");
  EXPECT_EQ(curl({"-d", "y", S("/client/alpha/channels/t")}).status, 202);
  for (const char* path : {"/", "/channels", "/stats", "/openapi.json"}) {
    expect_refusal(curl({S(path)}), 404);
  }
  expect_no_such_method(curl({via("/channels")}));
}

}  // namespace
}  // namespace rp::product
