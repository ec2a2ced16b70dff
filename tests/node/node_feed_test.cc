#include "node/node_feed.h"

#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/rest/front_end.h"

namespace rp::node {
namespace {

using rest::test::Answer;
using rest::test::FrontEnd;
using rest::test::RawClient;
using namespace std::chrono_literals;
using testing::HasSubstr;

/// The feed behind a real front-end, on a thread of its own.
class NodeFeedTest : public testing::Test {
 protected:
  ~NodeFeedTest() override {
    front_.reset();
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  void start(NodeFeed::Limits limits = {}) {
    feed_ = std::make_unique<NodeFeed>(context_, limits);
    thread_ = std::thread([this] { context_.run(); });
    front_.emplace([this](const std::shared_ptr<rest::Exchange>& exchange) {
      if (!NodeFeed::is_wanted(exchange->request())) {
        return exchange->respond(rest::test::ok("list"));
      }
      feed_->watch(exchange, [this](const auto& done) { done(snapshot_); });
    });
  }

  RawClient watch(int receive_buffer = 0) {
    RawClient client = front_->connect(receive_buffer);
    client.send(rest::test::get("/nodes", "Accept: text/event-stream\r\n"));
    return client;
  }

  /// What the client has received by the time that `text` comes.
  static std::string read_to(RawClient& client, const std::string& text) {
    std::string received;
    while (!received.ends_with(text)) {
      const std::string more = client.read_bytes(1);
      if (more.empty()) break;
      received += more;
    }
    EXPECT_TRUE(received.ends_with(text)) << received.substr(0, 1'000);
    return received;
  }

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      context_.get_executor()};
  std::string snapshot_ = R"({"nodes":[]})";
  std::unique_ptr<NodeFeed> feed_;
  std::thread thread_;
  std::optional<FrontEnd> front_;
};

TEST_F(NodeFeedTest, BeginsWithTheStateAndGoesOnWithChanges) {
  start();
  RawClient client = watch();
  const std::string head = read_to(client, "\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Type: text/event-stream\r\n"));
  EXPECT_THAT(head, HasSubstr("Cache-Control: no-store\r\n"));
  EXPECT_THAT(read_to(client, "\n\n"),
              HasSubstr("retry: 2000\nevent: snapshot\nid: 0\ndata: {\"nodes\":[]}\n"));
  feed_->tell("joined", R"({"name":"a"})");
  EXPECT_THAT(read_to(client, "\n\n"), HasSubstr("event: joined\nid: 1\ndata: {\"name\":\"a\"}\n"));
  feed_->tell("left", R"({"name":"a"})");
  EXPECT_THAT(read_to(client, "\n\n"), HasSubstr("event: left\nid: 2\ndata: {\"name\":\"a\"}\n"));
}

TEST_F(NodeFeedTest, EveryWatcherHearsEverything) {
  start();
  RawClient first = watch();
  RawClient second = watch();
  read_to(first, "snapshot");
  read_to(second, "snapshot");
  feed_->tell("joined", "{}");
  read_to(first, "event: joined");
  read_to(second, "event: joined");
}

TEST_F(NodeFeedTest, OtherRequestsAreNotForTheStream) {
  start();
  EXPECT_EQ(front_->ask(rest::test::get("/nodes")).body, "list");
  EXPECT_EQ(front_->ask(rest::test::get("/nodes", "Accept: application/json\r\n")).body, "list");
  EXPECT_EQ(front_
                ->ask("HEAD /nodes HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
                      "Connection: close\r\n\r\n")
                .status,
            200);
}

TEST_F(NodeFeedTest, ACommentComesWhenNothingElseDoes) {
  start({.heartbeat = 20ms});
  RawClient client = watch();
  read_to(client, ": still here\n\n");
  read_to(client, ": still here\n\n");
}

TEST_F(NodeFeedTest, TheNumberOfWatchersIsBounded) {
  start({.watchers_max = 1});
  {
    RawClient client = watch();
    read_to(client, "snapshot");
    RawClient refused = watch();
    const Answer answer = refused.read_answer();
    EXPECT_EQ(answer.status, 503);
    EXPECT_TRUE(answer.has("retry-after"));
  }
  EXPECT_TRUE(eventually([&] { return feed_->watchers() == 0; }));
  RawClient next = watch();
  read_to(next, "snapshot");
}

TEST_F(NodeFeedTest, AWatcherThatDoesNotReadIsCutOff) {
  start({.backlog_bytes_max = 100'000, .unsent_bytes_max = 10'000});
  RawClient slow = watch(/*receive_buffer=*/4096);
  read_to(slow, "snapshot");
  RawClient quick = watch();
  read_to(quick, "snapshot");
  const std::string line = '"' + std::string(50'000, 'x') + '"';
  for (int i = 0; i < 2'000 && feed_->watchers() == 2; ++i) {
    feed_->tell("joined", line);
    ASSERT_EQ(quick.read_bytes(50'000).size(), 50'000U);
    read_to(quick, "x\"\n\n");
  }
  EXPECT_EQ(feed_->watchers(), 1U);
  feed_->tell("left", "{}");
  read_to(quick, "event: left");
}

TEST_F(NodeFeedTest, ALongStateIsNoBacklog) {
  snapshot_ = '"' + std::string(5'000'000, 'y') + '"';
  start({.backlog_bytes_max = 100'000});
  RawClient client = watch();
  feed_->tell("joined", "{}");
  read_to(client, "event: snapshot");
  EXPECT_EQ(client.read_bytes(4'999'000).size(), 4'999'000U);
  feed_->tell("left", "{}");
  read_to(client, "event: left");
}

TEST_F(NodeFeedTest, CloseEndsTheStreams) {
  start();
  RawClient client = watch();
  read_to(client, "snapshot");
  feed_->close();
  EXPECT_TRUE(eventually([&] { return feed_->watchers() == 0; }));
  read_to(client, "\r\n0\r\n\r\n");  // the body ends as its framing says
  RawClient late = watch();
  EXPECT_EQ(late.read_answer().status, 503);
}

}  // namespace
}  // namespace rp::node
