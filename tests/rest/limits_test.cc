#include <chrono>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/rest/front_end.h"

namespace rp::rest::test {
namespace {

using namespace std::chrono_literals;

void echo_body(const std::shared_ptr<Exchange>& exchange) {
  exchange->respond(ok(exchange->take_body()));
}

ServerOptions with(const Limits& limits) {
  ServerOptions options;
  options.limits = limits;
  return options;
}

TEST(LimitsTest, AnswersAnOversizedBodyBeforeReadingIt) {
  Limits limits;
  limits.body_bytes_max = 1000;
  const FrontEnd front(echo_body, with(limits));
  auto client = front.connect();
  client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.header("connection"), "close");
}

TEST(LimitsTest, NeverTakesTheRestOfARefusedBodyForARequest) {
  Limits limits;
  limits.body_bytes_max = 10;
  const FrontEnd front(echo_body, with(limits));
  auto client = front.connect();
  const auto smuggled = get("/smuggled");
  client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n" + smuggled +
              smuggled);
  EXPECT_EQ(client.read_answer().status, 413);
  EXPECT_EQ(client.read_until_closed(), "");
  EXPECT_EQ(front.stats().requests, 0U);
}

TEST(LimitsTest, StopsAChunkedBodyThatGrowsTooLarge) {
  Limits limits;
  limits.body_bytes_max = 10;
  const FrontEnd front(echo_body, with(limits));
  auto client = front.connect();
  client.send(
      "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
      "chunked\r\n\r\n8\r\n12345678\r\n8\r\n");
  EXPECT_EQ(client.read_answer().status, 413);
}

TEST(LimitsTest, RefusesBodiesThatTogetherExceedTheirMemory) {
  Limits limits;
  limits.bodies_bytes_max = 1000;
  const FrontEnd front(echo_body, with(limits));
  auto first = front.connect();
  first.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n" +
             std::string(800, 'x'));
  ASSERT_TRUE(eventually([&] { return front.stats().body_bytes_buffered == 800; }));
  auto second = front.connect();
  second.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n" +
              std::string(800, 'x'));
  const auto refused = second.read_answer();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("retry-after"), "1");
  first.send(std::string(100, 'x'));
  EXPECT_EQ(first.read_answer().body.size(), 900U);
  EXPECT_TRUE(eventually([&] { return front.stats().body_bytes_buffered == 0; }));
}

TEST(LimitsTest, Says100ContinueWhenTheBodyIsWelcome) {
  const FrontEnd front(echo_body);
  auto client = front.connect();
  client.send(
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 100);
  client.send("hello");
  EXPECT_EQ(client.read_answer().body, "hello");
}

TEST(LimitsTest, SaysNo100ContinueWhenTheBodyIsThereAlready) {
  const FrontEnd front(echo_body);
  EXPECT_EQ(front.ask(post("/", "hello", "Expect: 100-continue\r\n")).body, "hello");
}

TEST(LimitsTest, SaysNo100ContinueToWhatItRefuses) {
  const FrontEnd front(echo_body);
  auto client = front.connect();
  client.send(
      "POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 421);
}

TEST(LimitsTest, EndsASlowHead) {
  Limits limits;
  limits.head_timeout = 50ms;
  const FrontEnd front(echo_body, with(limits));
  auto client = front.connect();
  client.send("GET / HTTP/1.1\r\nHost: loc");
  EXPECT_EQ(client.read_answer().status, 408);
  EXPECT_TRUE(client.closed_within(kPatience));
  EXPECT_EQ(front.stats().requests_timed_out, 1U);
}

TEST(LimitsTest, EndsAHeadThatDripsByteByByte) {
  Limits limits;
  limits.head_timeout = 100ms;
  const FrontEnd front(echo_body, with(limits));
  auto client = front.connect();
  std::size_t sent = 0;
  const std::string head = "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(10'000, 'x');
  while (sent < head.size() && front.stats().requests_timed_out == 0) {
    if (client.send_some(head.substr(sent++, 1), 1s) == 0) break;
    std::this_thread::sleep_for(1ms);  // the drip itself
  }
  EXPECT_EQ(front.stats().requests_timed_out, 1U);
  EXPECT_LT(sent, head.size());
}

TEST(LimitsTest, EndsABodyBelowTheMinimumRate) {
  Limits limits;
  limits.body_grace = 50ms;
  limits.body_bytes_per_second_min = 1'000'000;
  const FrontEnd front(echo_body, with(limits));
  auto client = front.connect();
  client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx");
  EXPECT_EQ(client.read_answer().status, 408);
}

TEST(LimitsTest, ClosesAnIdleConnectionInSilence) {
  Limits limits;
  limits.idle_timeout = 50ms;
  const FrontEnd front(echo_body, with(limits));
  auto fresh = front.connect();
  EXPECT_TRUE(fresh.closed_within(kPatience));
  auto used = front.connect();
  used.send(get("/"));
  EXPECT_EQ(used.read_answer().status, 200);
  EXPECT_TRUE(used.closed_within(kPatience));
}

TEST(LimitsTest, HasPatienceWithASlowHandler) {
  Limits limits;
  limits.head_timeout = limits.idle_timeout = limits.body_grace = limits.write_timeout = 20ms;
  Handover<std::shared_ptr<Exchange>> handed;
  const FrontEnd front([&](std::shared_ptr<Exchange> exchange) { handed.put(std::move(exchange)); },
                       with(limits));
  auto client = front.connect();
  client.send(get("/"));
  const auto exchange = handed.take().value();
  auto witness = front.connect();  // its close shows that the time-outs have passed
  EXPECT_TRUE(witness.closed_within(kPatience));
  exchange->respond(ok("slow"));
  EXPECT_EQ(client.read_answer().body, "slow");
}

TEST(LimitsTest, RefusesConnectionsOverTheCap) {
  Limits limits;
  limits.connections_max = 2;
  const FrontEnd front(echo_body, with(limits));
  auto first = front.connect();
  auto second = front.connect();
  ASSERT_TRUE(eventually([&] { return front.stats().connections_open == 2; }));
  auto third = front.connect();
  EXPECT_EQ(third.read_answer().status, 503);
  EXPECT_TRUE(eventually([&] { return front.stats().connections_refused == 1; }));
  first.close();
  ASSERT_TRUE(eventually([&] { return front.stats().connections_open == 1; }));
  EXPECT_EQ(front.ask(get("/")).status, 200);
}

TEST(LimitsTest, StopsReadingAPipeliningFlood) {
  Limits limits;
  limits.pipelined_bytes_max = 16 * 1024;
  Handover<std::shared_ptr<Exchange>> handed;
  const FrontEnd front(
      [&](std::shared_ptr<Exchange> exchange) {
        if (exchange->request().path() == "/first") return handed.put(std::move(exchange));
        exchange->respond(ok("flood"));
      },
      with(limits));
  auto client = front.connect();
  client.send(get("/first"));
  const auto exchange = handed.take().value();
  const auto one = get("/flood", "X-Padding: " + std::string(4000, 'x') + "\r\n");
  std::string flood;
  while (flood.size() < 64 * 1024 * 1024) flood += one;
  const auto sent = client.send_some(flood, 300ms);
  ASSERT_LT(sent, flood.size()) << "everything was read although one answer is still owed";
  const std::size_t one_read = 16 * 1024;
  EXPECT_LE(front.stats().bytes_received, limits.pipelined_bytes_max + one_read + one.size());

  exchange->respond(ok("first"));
  EXPECT_EQ(client.read_answer().body, "first");
  std::size_t answered = 0;
  for (; answered < sent / one.size(); ++answered) ASSERT_EQ(client.read_answer().body, "flood");
  EXPECT_GT(answered, 100U);
}

TEST(LimitsTest, LetsOthersInWhileOneUploads) {
  const FrontEnd front(
      [](const std::shared_ptr<Exchange>& exchange) { exchange->respond(ok("done")); });
  auto uploader = front.connect();
  uploader.send("POST /large HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000000\r\n\r\n");
  std::thread upload([&] { uploader.send(std::string(60'000'000, 'x')); });
  auto other = front.connect();
  for (int i = 0; i < 50; ++i) {
    other.send(get("/"));
    EXPECT_EQ(other.read_answer().body, "done");
  }
  EXPECT_EQ(uploader.read_answer().body, "done");
  upload.join();
}

TEST(LimitsTest, RecoversWhenDescriptorsRunOut) {
  const FrontEnd front(echo_body);
  EXPECT_EQ(front.ask(get("/")).status, 200);
  rlimit original{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &original), 0);

  auto waiting = front.connect();  // this descriptor is ours; the accepted one is the server's
  ASSERT_TRUE(eventually([&] { return front.stats().connections_accepted == 2; }));
  const int next_free = ::dup(0);
  ASSERT_GE(next_free, 0);
  const rlimit tight{static_cast<rlim_t>(next_free) + 1, original.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  ::close(next_free);
  auto unlucky = front.connect();  // takes the last descriptor, so that accept() finds none
  unlucky.send(get("/"));
  EXPECT_TRUE(eventually([&] { return front.stats().accept_errors > 0; }));
  waiting.send(post("/", "still served"));
  EXPECT_EQ(waiting.read_answer().body, "still served");

  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &original), 0);
  EXPECT_EQ(unlucky.read_answer().status, 200);
}

}  // namespace
}  // namespace rp::rest::test
