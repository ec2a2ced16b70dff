#include <algorithm>

#include "tests/product/harness/expect.h"
#include "tests/product/linger_fixture.h"

/// `restpipe queue`, `pub` and `sub` against a real node.
namespace rp::product {
namespace {

class QueueCommandTest : public LingerTest {
 protected:
  Finished queue(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "queue");
    return run(std::move(arguments));
  }
  Finished run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--rest", "127.0.0.1:" + std::to_string(port())});
    return restpipe(std::move(arguments));
  }
  virtual std::uint16_t port() const { return server_->rest_port(); }
  static std::string lease_in(const std::string& out) {
    const auto at = out.find("x-linger-lease: ");
    return at == out.npos ? "" : out.substr(at + 16, out.find('\n', at) - at - 16);
  }
};

TEST_F(QueueCommandTest, PutsTakesAndAcknowledges) {
  start();
  EXPECT_EQ(queue({"put", "a/b c", "work", "--priority", "-1", "--type", "x/y"}).out, "1\n");
  const auto peeked = queue({"peek", "a/b c"});
  EXPECT_TRUE(contains(peeked.out, "\"priority\": -1, \"timeout\": 30, ")) << peeked.out;
  EXPECT_EQ(std::count(peeked.out.begin(), peeked.out.end(), '\n'), 1);
  const auto taken = queue({"take", "a/b c", "-i", "--lease", "60"});
  EXPECT_EQ(taken.exit_code, 0) << taken.err;
  EXPECT_TRUE(taken.out.ends_with("\n\nwork")) << taken.out;
  EXPECT_EQ(queue({"nack", lease_in(taken.out)}).exit_code, 0);
  EXPECT_EQ(queue({"nack", lease_in(taken.out)}).exit_code, 22);
  EXPECT_EQ(queue({"take", "a/b c", "--ack"}).out, "work");
  const auto none = queue({"take", "a/b c", "--wait", "0.1"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_EQ(none.out, "");
  EXPECT_TRUE(queue({"stats", "a/b c"}).out.starts_with("{\"ready\": 0, \"hidden\": 0, "));
  EXPECT_TRUE(contains(queue({"stats"}).out, "\"msg-add\": 1"));
  EXPECT_EQ(queue({"ack", "1"}).exit_code, 22);
}

TEST_F(QueueCommandTest, MindsChannels) {
  start();
  queue({"put", "t", "x", "--deliver", "1", "--dead", "grave"});
  EXPECT_EQ(queue({"pause", "t"}).exit_code, 0);
  EXPECT_TRUE(contains(queue({"stats", "t"}).out, "\"paused\": true"));
  EXPECT_EQ(queue({"take", "t"}).exit_code, 1);
  EXPECT_EQ(queue({"resume", "t"}).exit_code, 0);
  const auto taken = queue({"take", "t", "-i"});
  EXPECT_EQ(queue({"nack", lease_in(taken.out), "--reject"}).exit_code, 0);
  EXPECT_EQ(queue({"redrive", "grave"}).out, "1\n");
  EXPECT_EQ(queue({"purge", "t"}).exit_code, 0);
  EXPECT_EQ(get("/channels/t/stats").body, R"({"ready": 0, "hidden": 0})");
}

TEST_F(QueueCommandTest, PublishesAndSubscribes) {
  start();
  EXPECT_EQ(run({"pub", "orders.new", "m"}).out, "{}\n");
  EXPECT_EQ(run({"sub", "orders.*", "billing", "--priority", "3"}).exit_code, 0);
  EXPECT_EQ(run({"pub", "orders.new", "m"}).out, "{\"billing\": 1}\n");
  EXPECT_EQ(run({"sub", "orders.*", "billing", "--remove"}).exit_code, 0);
  EXPECT_EQ(run({"pub", "orders.new", "m"}).out, "{}\n");
}

TEST_F(QueueCommandTest, PrintsMessagesAsTheyAre) {
  start();
  for (const char* text : {"one", "]}, {\"", "\\"}) queue({"put", "t", text});
  const auto lines = queue({"peek", "t", "--limit", "2"}).out;
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
  EXPECT_TRUE(lines.ends_with("\"body\": \"]}, {\\\"\"}\n")) << lines;
  EXPECT_EQ(boost::json::parse(queue({"peek", "t", "--offset", "2"}).out).at("body"), "\\");
  EXPECT_EQ(queue({"peek", "empty"}).out, "");
}

TEST_F(QueueCommandTest, TakesTimesAsSettingsHaveThem) {
  start();
  EXPECT_EQ(queue({"put", "t", "x", "--timeout", "1m", "--linger", "1.5h"}).exit_code, 0);
  const auto message = json("/channels/t/messages").at("messages").at(0);
  EXPECT_EQ(message.at("timeout"), 60);
  EXPECT_EQ(message.at("linger"), 5'400);
  EXPECT_EQ(queue({"take", "t", "--wait", "200ms", "--lease", "1m"}).out, "x");
  EXPECT_EQ(queue({"take", "t", "--wait", "200ms"}).exit_code, 1);
  for (const char* wrong : {"x", "-1", "1d", ""}) {
    const auto refused = queue({"take", "t", "--wait", wrong});
    EXPECT_EQ(refused.exit_code, 2) << wrong;
    EXPECT_TRUE(contains(refused.err, "accepted: seconds, or a time such as 200ms")) << refused.err;
  }
}

TEST_F(QueueCommandTest, DoesEachMessageByItself) {
  start();
  for (int i = 0; i < 3; ++i) put("/channels/t");
  const auto done = queue({"ack", "1", "99", "3"});
  EXPECT_EQ(done.exit_code, 22);
  EXPECT_EQ(done.err, "restpipe queue ack: 99: 404 Message not found.\n");
  EXPECT_EQ(get("/channels/t/stats").body, R"({"ready": 1, "hidden": 0})");
  for (const char* wrong : {"x", "1-2", "-", "1 "}) {
    const auto refused = queue({"ack", "2", wrong});
    EXPECT_EQ(refused.exit_code, 2) << wrong;
    EXPECT_TRUE(contains(refused.err, "accepted: 12 or 12-0123456789abcdef")) << refused.err;
  }
  EXPECT_EQ(queue({"nack", "2"}).exit_code, 2) << "it takes a lease";
  EXPECT_EQ(get("/channels/t/stats").body, R"({"ready": 1, "hidden": 0})");
}

TEST_F(QueueCommandTest, NeverTakesANodeWithoutAQueueForOne) {
  server_ = make_server({.flags = {"--queue=false"}});
  client_ = make_client();
  ASSERT_TRUE(client_->ready());
  const auto far = "127.0.0.1:" + std::to_string(client_->rest_port());
  const std::vector<std::string> commands[] = {{"queue", "put", "t", "x"}, {"queue", "take", "t"},
                                               {"queue", "ack", "1"},      {"queue", "peek", "t"},
                                               {"pub", "t", "x"},          {"sub", "t", "c"}};
  for (const auto& command : commands) {
    auto near = run(command);
    EXPECT_EQ(near.exit_code, 22);
    EXPECT_TRUE(contains(near.err, "this node has no message queue")) << near.err;
    auto arguments = command;
    arguments.insert(arguments.end(), {"--pipe", "--rest", far});
    const auto piped = restpipe(arguments);
    EXPECT_EQ(piped.exit_code, 22);
    EXPECT_TRUE(contains(piped.err, "no message queue answers through the pipe")) << piped.err;
  }
}

TEST_F(QueueCommandTest, SaysWhatWasWrong) {
  start();
  const auto refused = queue({"put", "t", "x", "--timeout", "0"});
  EXPECT_EQ(refused.exit_code, 22);
  EXPECT_EQ(refused.err, "restpipe queue put: 400 Invalid message visibility timeout.\n");
  const auto unread = queue({"put", "t", "@/nowhere"});
  EXPECT_EQ(unread.exit_code, 2);
  EXPECT_TRUE(contains(unread.err, "DATA: \"/nowhere\" cannot be read")) << unread.err;
  EXPECT_EQ(queue({"put", "", "x"}).exit_code, 2);
  EXPECT_EQ(run({"sub", "t", ""}).exit_code, 2);
  EXPECT_EQ(queue({"put", "t", "x", "--type", "a/b\r\nX-Y: z"}).exit_code, 2);
  EXPECT_EQ(queue({"take"}).exit_code, 2);
  EXPECT_EQ(restpipe({"queue", "put", "t", "x", "--rest", "127.0.0.1:1"}).exit_code, 7);
  EXPECT_EQ(restpipe({"queue", "--help"}).exit_code, 0);
  for (const char* command : {"put", "take", "peek", "stats", "ack", "nack", "redrive"}) {
    const auto help = restpipe({"queue", command, "--help"}).out;
    EXPECT_TRUE(contains(help, "28 timed out")) << command;
  }
}

TEST_F(QueueCommandTest, ReachesTheServersQueueThroughAClientNode) {
  start_pair();
  const auto rest = "127.0.0.1:" + std::to_string(client_->rest_port());
  EXPECT_EQ(restpipe({"queue", "put", "a/b", "far", "--pipe", "--rest", rest}).out, "1\n");
  EXPECT_EQ(restpipe({"queue", "take", "a/b", "--ack", "--pipe", "--rest", rest}).out, "far");
  EXPECT_EQ(get("/channels/a%2Fb/stats").body, R"({"ready": 0, "hidden": 0})");
}

}  // namespace
}  // namespace rp::product
