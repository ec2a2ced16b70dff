#include <algorithm>
#include <string>
#include <thread>

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/mesh.h"
#include "tests/product/harness/socket.h"

/// A client calls another one, or all of them, by way of the server.
namespace rp::product {
namespace {

namespace json = boost::json;

// The sanitizers keep freed memory for a while, the address sanitizer up to 256 MiB.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kMemoryGrowthKb = 448 * 1024;
#else
constexpr std::size_t kMemoryGrowthKb = 32 * 1024;
#endif

json::value parsed(const Response& response) {
  boost::system::error_code ec;
  auto value = json::parse(response.body, ec);
  EXPECT_FALSE(ec) << response.body;
  return value;
}

std::vector<std::string> names_in(const json::value& object) {
  std::vector<std::string> names;
  for (const auto& member : object.as_object()) names.emplace_back(member.key());
  return names;
}

class AnyNodeTest : public MeshTest {
 protected:
  /// The server's largest memory while `run` runs.
  std::size_t most_memory_kb(CurlRun& run) const {
    std::size_t most_kb = 0;
    while (run.running()) {
      most_kb = std::max(most_kb, server_->memory_kb());
      std::this_thread::sleep_for(20ms);
    }
    return most_kb;
  }
};

TEST_F(AnyNodeTest, AClientCallsAnotherByWayOfTheServer) {
  start_server(kOpenPolicy);
  connect("alpha");
  connect("beta");
  expect_time(curl({on("alpha", "/client/beta/time")}), "time_from_client");
  expect_reply(curl({on("alpha", "/client/beta/cat//hello%20/world")}), "0", "application/json",
               R"({"result_from_client": "hello world"})");
  expect_exception(curl({on("alpha", "/client/beta/raise")}), "", "boom");
  expect_no_such_method(curl({on("alpha", "/client/beta/nope")}));
  const auto posted = curl({"-X", "PUT", "-H", "Content-Type: text/csv", "-d", "a,b",
                            on("beta", "/client/alpha/echo?x=1")});
  EXPECT_EQ(posted.body, "a,b");
  EXPECT_EQ(posted.content_type(), "text/csv");
  EXPECT_EQ(curl({on("beta", "/client/alpha/query?a=1&b=2")}).body, "a=1&b=2");
  expect_time(curl({on("alpha", "/client/alpha/time")}), "time_from_client");
}

TEST_F(AnyNodeTest, TheHandlerSeesTheFirstCaller) {
  start_server(kOpenPolicy);
  connect("alpha");
  connect("beta");
  const auto origin = parsed(curl({on("alpha", "/client/beta/origin")}));
  EXPECT_EQ(origin.at("node").as_string(), "alpha");
  const auto from_server = parsed(curl({S("/client/beta/origin")}));
  EXPECT_EQ(from_server.at("node").as_string(), "hub");
  const auto id = curl({"-H", "X-Request-Id: r-17", on("alpha", "/client/beta/request_id")});
  EXPECT_EQ(id.body, "r-17");
}

TEST_F(AnyNodeTest, AnUnknownClientIs404AndOneThatLeftIsWaitedFor) {
  start_server(kOpenPolicy, {"--connection-wait", "1"});
  connect("alpha");
  connect("beta");
  const auto unknown = curl({on("alpha", "/client/nobody/time")});
  expect_refusal(unknown, 404);
  EXPECT_EQ(unknown.body, "not found");
  expect_refusal(curl({on("alpha", "/client/127.0.0.1/time")}), 404);
  disconnect("beta");
  ASSERT_TRUE(server_forgets("beta"));
  const auto away = curl({"-H", "Accept: application/json", on("alpha", "/client/beta/time")});
  expect_refusal(away, 503);
  EXPECT_EQ(parsed(away).at("code").as_string(), "peer_unavailable");
  EXPECT_GE(away.seconds, 0.9);
}

TEST_F(AnyNodeTest, ACallWhoseTimeRanOutAtTheServerHasNotRun) {
  start_server(kOpenPolicy);
  connect("alpha");
  connect("beta");
  disconnect("beta");
  ASSERT_TRUE(server_forgets("beta"));
  Response late;
  // On a busy machine alpha may speak before the server's answer is there.
  EXPECT_TRUE(eventually([&] {
    late = curl({"-H", "Request-Timeout: 1", on("alpha", "/client/beta/time")});
    return contains(late.body, "before a pipe to the node was open");
  })) << late.body;
  EXPECT_EQ(late.status, 504);
  EXPECT_TRUE(contains(late.body, "\"may_have_run\":false")) << late.body;
}

TEST_F(AnyNodeTest, BodiesStreamThroughTheServerInConstantMemory) {
  // beta has an executable that says what it got, and one that gives as much as it is asked for.
  script("post_sum", "exec sha256sum");
  script("get_zeros", "exec head -c \"$1\" /dev/zero");
  start_server(kOpenPolicy);
  connect("alpha");
  connect("beta", {"--exec", methods().string()});
  expect_time(curl({on("alpha", "/client/beta/time")}), "time_from_client");
  const std::size_t before_kb = server_->memory_kb();

  const auto large = authority_.scratch("large");
  const std::string bytes = std::to_string(std::size_t{512} << 20);
  ASSERT_EQ(run({.argv = {"truncate", "-s", bytes, large.string()}}).exit_code, 0);
  CurlRun up({"-T", large.string(), "-X", "POST", "-H", "Expect:", on("alpha", "/client/beta/sum")},
             120s);
  std::size_t most_kb = most_memory_kb(up);
  const auto sum = up.finish();
  EXPECT_EQ(sum.status, 200) << sum.error;
  EXPECT_EQ(sum.body, run({.argv = {"sh", "-c", "sha256sum < " + large.string()}}, 60s).out);

  CurlRun down(
      {"-o", "/dev/null", "-w", " %{size_download}", on("alpha", "/client/beta/zeros//" + bytes)},
      120s);
  most_kb = std::max(most_kb, most_memory_kb(down));
  EXPECT_EQ(down.finish().exit_code, 0);

  // 512 MiB each way. Of a body at most 256 KiB are under way at each hop.
  EXPECT_LT(most_kb, before_kb + kMemoryGrowthKb);
}

TEST_F(AnyNodeTest, TheDeadlineTravelsAndTheHandlerHearsOfIt) {
  start_server(kOpenPolicy);
  connect("alpha");
  connect("beta");
  const auto late = curl({"-H", "Request-Timeout: 0.5", "-H", "Accept: application/json",
                          on("alpha", "/client/beta/sleep//20")});
  expect_refusal(late, 504);
  EXPECT_EQ(parsed(late).at("code").as_string(), "deadline_exceeded");
  EXPECT_LT(late.seconds, 15.0) << "the handler takes 20 s";
}

TEST_F(AnyNodeTest, ACallerThatHangsUpReachesTheHandler) {
  start_server(kOpenPolicy);
  connect("alpha");
  const auto file = authority_.scratch("slept");
  auto beta = make_client({.identity = authority_.client("beta"),
                           .flags = parity_handlers(),
                           .env = {"RP_TEST_SLEEP_FILE=" + file.string()}});
  ASSERT_TRUE(beta->ready());
  {
    CurlRun run({on("alpha", "/client/beta/sleep//60")});
    ASSERT_TRUE(eventually([&] { return contains(read_text(file), "started"); }));
  }
  EXPECT_TRUE(eventually([&] { return contains(read_text(file), "cancelled"); }));
}

TEST_F(AnyNodeTest, AHopThatBreaksIsNamed) {
  start_server(kOpenPolicy);
  connect("alpha");
  connect("beta", {"--drain-timeout", "0"});
  CurlRun run({"-H", "Accept: application/json", on("alpha", "/client/beta/sleep//60")});
  ASSERT_TRUE(eventually([&] {
    return contains(
        raw_http(server_->rest_port(),
                 "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"),
        "restpipe_relayed_calls_total 1\n");
  }));
  node("beta").stop();
  const auto broken = run.finish();
  EXPECT_TRUE(broken.status == 502 || broken.status == 503) << broken.status;
  EXPECT_FALSE(parsed(broken).at("code").as_string().empty());
}

TEST_F(AnyNodeTest, AllClientsAnswerInOneObject) {
  start_server(kOpenPolicy);
  for (const char* name : {"beta", "alpha", "gamma"}) connect(name);
  for (const auto& url : {S("/client/*/time"), on("alpha", "/client/*/time")}) {
    const auto response = curl({"-g", url});
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.code(), "0");
    EXPECT_EQ(response.content_type(), "application/json");
    const auto object = parsed(response);
    EXPECT_EQ(names_in(object), (std::vector<std::string>{"alpha", "beta", "gamma"}));
    for (const char* name : {"alpha", "beta", "gamma"}) {
      EXPECT_EQ(object.at(name).at("code").as_int64(), 0);
      EXPECT_TRUE(object.at(name).at("body").as_object().contains("time_from_client"));
    }
  }
  const auto echoed = parsed(curl({"-X", "POST", "-H", "Content-Type: application/octet-stream",
                                   "-d", "foobar", S("/client/*/echo")}));
  EXPECT_EQ(echoed.at("beta").at("body").as_string(), "Zm9vYmFy");
  EXPECT_EQ(echoed.at("beta").at("encoding").as_string(), "base64");
  const auto failed = parsed(curl({S("/client/*/raise")}));
  EXPECT_EQ(failed.at("beta").at("code").as_int64(), 251);
}

TEST_F(AnyNodeTest, NobodyConnectedIsAnEmptyObject) {
  start_server(kOpenPolicy);
  ASSERT_TRUE(server_->ready());
  const auto response = curl({S("/client/*/time")});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "{}\n");
}

TEST_F(AnyNodeTest, TheSlowAndTheDeadAreListedWhenTheTimeIsOver) {
  start_server(kOpenPolicy);
  connect("quick");
  connect("slow", {"--heartbeat-interval", "60"});
  node("slow").process().signal(SIGSTOP);
  const auto response = curl({"-H", "Request-Timeout: 5", S("/client/*/time")});
  node("slow").process().signal(SIGCONT);
  const auto object = parsed(response);
  EXPECT_EQ(object.at("quick").at("code").as_int64(), 0);
  EXPECT_EQ(object.at("slow").at("error").at("code").as_string(), "deadline_exceeded");
  EXPECT_FALSE(object.at("slow").at("error").at("detail").as_string().empty());

  connect("dead");
  node("dead").process().kill();
  const auto without = parsed(curl({"-H", "Request-Timeout: 5", on("quick", "/client/*/time")}));
  EXPECT_EQ(without.at("quick").at("code").as_int64(), 0);
  ASSERT_TRUE(without.as_object().contains("dead")) << "its session is still kept";
  EXPECT_TRUE(without.at("dead").as_object().contains("error"));
}

TEST_F(AnyNodeTest, LinesComeBeforeTheSlowOneIsGivenUp) {
  start_server(kOpenPolicy);
  connect("quick", {"--gather-timeout", "6"});
  connect("slow", {"--heartbeat-interval", "60"});
  node("slow").process().signal(SIGSTOP);
  const auto socket = connect_to(node("quick").rest_port());
  ASSERT_TRUE(socket);
  ASSERT_TRUE(send_all(*socket,
                       "GET /client/*/time HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                       "Accept: application/x-ndjson\r\n\r\n"));
  const auto began = TestClock::now();
  std::string received;
  while (!contains(received, "{\"node\":\"quick\",\"code\":0,") &&
         receive_some(*socket, received, began + kPatience)) {
  }
  EXPECT_LT(TestClock::now() - began, 4s) << "the quick one is not held back";
  EXPECT_TRUE(contains(received, "Content-Type: application/x-ndjson\r\n")) << received;
  while (receive_some(*socket, received, began + kPatience)) {
  }
  node("slow").process().signal(SIGCONT);
  EXPECT_TRUE(contains(received, "{\"node\":\"slow\",\"error\":{\"code\":\"deadline_exceeded\""))
      << received;
  EXPECT_GE(TestClock::now() - began, 4s);
}

}  // namespace
}  // namespace rp::product
