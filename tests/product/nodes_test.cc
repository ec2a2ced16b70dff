#include <string>

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/fault_proxy.h"
#include "tests/product/harness/mesh.h"
#include "tests/product/harness/socket.h"

/// What /nodes shows, and tells those who watch it.
namespace rp::product {
namespace {

namespace json = boost::json;

/// A program that watches a node's /nodes.
class Watcher {
 public:
  explicit Watcher(const Node& node) : socket_(connect_to(node.rest_port())) {
    if (!socket_ || !send_all(*socket_,
                              "GET /nodes HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                              "Accept: text/event-stream\r\n\r\n")) {
      ADD_FAILURE() << "/nodes cannot be watched";
    }
  }

  /// The data of the next event of that name about that node ("" for any); others are passed over.
  json::value next(std::string_view event, std::string_view name = "") {
    const auto deadline = TestClock::now() + kPatience;
    const std::string begin = "event: " + std::string(event) + "\nid: ";
    for (;;) {
      const auto at = received_.find(begin);
      const auto data = received_.find("\ndata: ", at);
      const auto end = received_.find("\n\n", data);
      if (at != std::string::npos && data != std::string::npos && end != std::string::npos) {
        boost::system::error_code ec;
        auto value = json::parse(received_.substr(data + 7, end - data - 7), ec);
        EXPECT_FALSE(ec) << received_;
        received_.erase(0, end + 2);
        if (name.empty() || value.at("name").as_string() == name) return value;
      } else if (!receive_some(*socket_, received_, deadline)) {
        ADD_FAILURE() << "no event " << event << " " << name << " in: " << received_;
        return {};
      }
    }
  }

  /// Whether the node ends the stream as a body ends.
  bool ends() {
    const auto deadline = TestClock::now() + kPatience;
    while (!contains(received_, "\r\n0\r\n\r\n") && receive_some(*socket_, received_, deadline)) {
    }
    return contains(received_, "\r\n0\r\n\r\n");
  }

 private:
  std::optional<Socket> socket_;
  std::string received_;
};

class NodesTest : public MeshTest {
 protected:
  json::object listed(const std::string& base, const char* list = "nodes") {
    const auto response = curl({base + "/nodes"});
    boost::system::error_code ec;
    const auto document = json::parse(response.body, ec);
    if (ec) return {};
    for (const auto& entry : document.at(list).as_array()) return entry.as_object();
    return {};
  }
};

TEST_F(NodesTest, ShowsWhatHappensOnAPipe) {
  start_server("");
  connect("alpha");
  CurlRun running({S("/client/alpha/sleep//2")});
  EXPECT_EQ(curl({on("alpha", "/server/bare")}).body, "plain");
  ASSERT_TRUE(eventually([&] {
    const auto entry = listed(S(""));
    return entry.contains("in_flight_to_node") && entry.at("in_flight_to_node").as_int64() == 1;
  }));
  const auto alpha = listed(S(""));
  EXPECT_EQ(alpha.at("name").as_string(), "alpha");
  EXPECT_EQ(alpha.at("state").as_string(), "attached");
  EXPECT_EQ(alpha.at("address").as_string(), "127.0.0.1");
  EXPECT_EQ(alpha.at("links").as_int64(), 1);
  EXPECT_EQ(alpha.at("resumes").as_int64(), 0);
  EXPECT_EQ(alpha.at("in_flight_from_node").as_int64(), 0);
  EXPECT_GE(alpha.at("calls_from_node").as_int64(), 1);
  EXPECT_GT(alpha.at("bytes_received").as_int64(), 0);
  EXPECT_GT(alpha.at("bytes_sent").as_int64(), 0);
  EXPECT_TRUE(contains(alpha.at("software").as_string().c_str(), "restpipe/"));
  EXPECT_TRUE(alpha.at("since").as_string().ends_with("Z"));
  const auto hub = listed(node("alpha").base());
  EXPECT_EQ(hub.at("name").as_string(), "hub");
  EXPECT_EQ(hub.at("in_flight_from_node").as_int64(), 1);
  EXPECT_EQ(running.finish().body, "slept");
}

TEST_F(NodesTest, TellsWhoJoinsAndWhoLeaves) {
  start_server("");
  Watcher watcher(*server_);
  EXPECT_TRUE(watcher.next("snapshot").at("nodes").as_array().empty());
  connect("alpha");
  const auto joined = watcher.next("joined", "alpha");
  EXPECT_EQ(joined.at("address").as_string(), "127.0.0.1");
  EXPECT_TRUE(joined.at("at").as_string().ends_with("Z"));
  Watcher late(*server_);
  EXPECT_EQ(late.next("snapshot").at("nodes").as_array().size(), 1U);
  EXPECT_EQ(node("alpha").stop(), 0);
  EXPECT_FALSE(watcher.next("left", "alpha").at("reason").as_string().empty());
  late.next("left", "alpha");
}

TEST_F(NodesTest, TellsOfASessionThatLosesItsLinkAndGoesOn) {
  start_server("");
  FaultProxy wire(server_->pipe_port());
  auto alpha = make_client({.identity = authority_.client("alpha"), .pipe_port = wire.port()});
  ASSERT_TRUE(alpha->ready());
  Watcher on_server(*server_);
  Watcher on_client(*alpha);
  on_server.next("snapshot");
  on_client.next("snapshot");
  wire.cut();
  on_server.next("detached", "alpha");
  on_server.next("resumed", "alpha");
  on_client.next("detached", "hub");
  on_client.next("resumed", "hub");
  const auto entry = listed(S(""));
  EXPECT_EQ(entry.at("links").as_int64(), 2);
  EXPECT_EQ(entry.at("resumes").as_int64(), 1);
}

TEST_F(NodesTest, AClientThatDiesIsDetachedUntilItsSessionEnds) {
  start_server("", {"--session-grace", "1"});
  Watcher watcher(*server_);
  watcher.next("snapshot");
  connect("alpha");
  watcher.next("joined", "alpha");
  node("alpha").process().kill();
  watcher.next("detached", "alpha");
  watcher.next("left", "alpha");
  EXPECT_TRUE(listed(S("")).empty());
  EXPECT_TRUE(listed(S(""), "detached").empty());
}

TEST_F(NodesTest, AWatcherDoesNotHoldUpTheEnd) {
  start_server("", {"--drain-timeout", "120"});
  Watcher watcher(*server_);
  watcher.next("snapshot");
  server_->process().signal(SIGTERM);
  EXPECT_TRUE(watcher.ends());
  EXPECT_EQ(server_->process().wait(), 0) << "the drain may take 120 s";
}

TEST_F(NodesTest, TheCommandWatchesToo) {
  start_server("");
  Process command({.argv = {RP_RESTPIPE, "nodes", "--watch", "--rest",
                            "127.0.0.1:" + std::to_string(server_->rest_port())}});
  ASSERT_TRUE(command.out_line("no node is connected"));
  connect("alpha");
  const auto line = command.out_line("joined ").value_or("");
  EXPECT_TRUE(contains(line, "name=alpha address=127.0.0.1")) << line;
}

}  // namespace
}  // namespace rp::product
