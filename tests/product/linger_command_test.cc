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
  EXPECT_EQ(queue({"peek", "a/b c"}).exit_code, 0);
  EXPECT_TRUE(contains(queue({"peek", "a/b c"}).out, "\"priority\":-1"));
  const auto taken = queue({"take", "a/b c", "-i", "--lease", "60"});
  EXPECT_EQ(taken.exit_code, 0) << taken.err;
  EXPECT_TRUE(taken.out.ends_with("\n\nwork")) << taken.out;
  EXPECT_EQ(queue({"nack", lease_in(taken.out)}).exit_code, 0);
  EXPECT_EQ(queue({"nack", lease_in(taken.out)}).exit_code, 22);
  EXPECT_EQ(queue({"take", "a/b c", "--ack"}).out, "work");
  const auto none = queue({"take", "a/b c", "--wait", "0.1"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_EQ(none.out, "");
  EXPECT_EQ(queue({"stats", "a/b c"}).out, "{\"ready\": 0, \"hidden\": 0}\n");
  EXPECT_TRUE(contains(queue({"stats"}).out, "\"msg-add\": 1"));
  EXPECT_EQ(queue({"ack", "1"}).exit_code, 22);
}

TEST_F(QueueCommandTest, MindsChannels) {
  start();
  queue({"put", "t", "x", "--deliver", "1", "--dead", "grave"});
  EXPECT_EQ(queue({"pause", "t"}).exit_code, 0);
  EXPECT_EQ(queue({"take", "t"}).exit_code, 1);
  EXPECT_EQ(queue({"resume", "t"}).exit_code, 0);
  const auto taken = queue({"take", "t", "-i"});
  EXPECT_EQ(queue({"nack", lease_in(taken.out), "--reject"}).exit_code, 0);
  EXPECT_EQ(queue({"redrive", "grave"}).out, "1\n");
  EXPECT_EQ(queue({"purge", "t"}).exit_code, 0);
  EXPECT_EQ(queue({"stats", "t"}).out, "{\"ready\": 0, \"hidden\": 0}\n");
}

TEST_F(QueueCommandTest, PublishesAndSubscribes) {
  start();
  EXPECT_EQ(run({"pub", "orders.new", "m"}).out, "{}\n");
  EXPECT_EQ(run({"sub", "orders.*", "billing", "--priority", "3"}).exit_code, 0);
  EXPECT_EQ(run({"pub", "orders.new", "m"}).out, "{\"billing\": 1}\n");
  EXPECT_EQ(run({"sub", "orders.*", "billing", "--remove"}).exit_code, 0);
  EXPECT_EQ(run({"pub", "orders.new", "m"}).out, "{}\n");
}

TEST_F(QueueCommandTest, SaysWhatWasWrong) {
  start();
  const auto refused = queue({"put", "t", "x", "--timeout", "0"});
  EXPECT_EQ(refused.exit_code, 22);
  EXPECT_EQ(refused.err, "restpipe queue put: 400 Invalid message visibility timeout.\n");
  EXPECT_EQ(queue({"put", "t", "@/nowhere"}).exit_code, 2);
  EXPECT_EQ(queue({"take"}).exit_code, 2);
  EXPECT_EQ(restpipe({"queue", "put", "t", "x", "--rest", "127.0.0.1:1"}).exit_code, 7);
  EXPECT_EQ(restpipe({"queue", "--help"}).exit_code, 0);
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
