#include <chrono>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/rest/front_end.h"

namespace rp::rest::test {
namespace {

using namespace std::chrono_literals;

TEST(DrainTest, ClosesIdleConnectionsAndEnds) {
  FrontEnd front([](const std::shared_ptr<Exchange>& exchange) { exchange->respond(ok("")); });
  auto idle = front.connect();
  idle.send(get("/"));
  EXPECT_EQ(idle.read_answer().status, 200);
  EXPECT_TRUE(front.server().drain(kPatience));
  EXPECT_TRUE(idle.closed_within(kPatience));
  EXPECT_THROW(front.connect(), std::runtime_error);
}

TEST(DrainTest, LetsARequestInFlightFinishWithConnectionClose) {
  Handover<std::shared_ptr<Exchange>> handed;
  FrontEnd front([&](std::shared_ptr<Exchange> exchange) { handed.put(std::move(exchange)); });
  auto client = front.connect();
  client.send(get("/"));
  const auto exchange = handed.take().value();
  bool clean = false;
  std::thread drain([&] { clean = front.server().drain(kPatience); });
  // The listener is closed first; then the answer comes into a draining server.
  EXPECT_TRUE(eventually([&] {
    try {
      auto probe = front.connect();
      return probe.closed_within(0ms);
    } catch (const std::runtime_error&) {
      return true;
    }
  }));
  auto begun = exchange;
  begun->respond(ok("finished"));
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.body, "finished");
  client.close();
  drain.join();
  EXPECT_TRUE(clean);
}

TEST(DrainTest, CutsWhatDoesNotEndInTime) {
  Handover<std::shared_ptr<Exchange>> handed;
  FrontEnd front([&](std::shared_ptr<Exchange> exchange) { handed.put(std::move(exchange)); });
  auto client = front.connect();
  client.send(get("/"));
  const auto exchange = handed.take().value();
  EXPECT_FALSE(front.server().drain(20ms));
  EXPECT_TRUE(exchange->disconnected());
  EXPECT_TRUE(client.closed_within(kPatience));
}

TEST(DrainTest, AClientThatKeepsItsSocketOpenDoesNotHoldItUp) {
  ServerOptions options;
  options.limits.idle_timeout = 100ms;  // so often are connections looked at
  FrontEnd front([](const std::shared_ptr<Exchange>& exchange) { exchange->respond(ok("")); },
                 options);
  auto client = front.connect();
  client.send(get("/", "Connection: close\r\n"));
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_TRUE(front.server().drain(1900ms)) << "as long as a client has at other times";
}

TEST(DrainTest, ASilentNewConnectionDoesNotHoldItUp) {
  FrontEnd front([](const std::shared_ptr<Exchange>& exchange) { exchange->respond(ok("")); });
  auto silent = front.connect();
  ASSERT_TRUE(eventually([&] { return front.stats().connections_open == 1; }));
  EXPECT_TRUE(front.server().drain(kPatience));
}

}  // namespace
}  // namespace rp::rest::test
