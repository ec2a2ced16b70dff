#include <thread>

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/product/harness/fault_proxy.h"
#include "tests/product/harness/http.h"
#include "tests/product/harness/process.h"
#include "tests/product/harness/udp_sink.h"

/// The instruments are tested too: one that sees nothing would make every test green.
namespace rp::product {
namespace {

Command shell(const std::string& script) { return {.argv = {"sh", "-c", script}}; }

TEST(ProcessTest, HasExitCodeOutputAndInput) {
  Command command = shell("cat; echo wrong >&2; exit 7");
  command.input = "from stdin";
  const auto finished = run(command);
  EXPECT_EQ(finished.exit_code, 7);
  EXPECT_EQ(finished.out, "from stdin");
  EXPECT_EQ(finished.err, "wrong\n");
}

TEST(ProcessTest, SeesALineAsSoonAsItIsWhole) {
  Process process(shell("printf half; sleep 0.1; printf ' done\\n'; exec sleep 60"));
  EXPECT_EQ(process.out_line("half"), "half done");
  EXPECT_FALSE(process.out_line("never", 50ms));
  EXPECT_TRUE(process.running());
}

TEST(ProcessTest, DiesWithItsOwner) {
  pid_t pid = 0;
  {
    Process process(shell("exec sleep 60"));
    pid = process.pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(ProcessTest, TellsASignalFromAnExit) {
  Process process(shell("exec sleep 60"));
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(), 1000 + SIGTERM);
}

TEST(ProcessTest, GivesACleanEnvironment) {
  ::setenv("RP_SERVER_BIND_PORT", "1", 1);
  Command command = shell("echo \"$RP_SERVER_BIND_PORT,$ADDED\"");
  command.env = {"ADDED=2"};
  EXPECT_EQ(run(command).out, ",2\n");
  ::unsetenv("RP_SERVER_BIND_PORT");
}

/// Answers one HTTP request with `answer`.
std::uint16_t serve_once(std::thread& thread, std::string answer) {
  auto listener = listen_on_loopback();
  const auto port = port_of(listener);
  thread = std::thread([listener = std::move(listener), answer = std::move(answer)] {
    const auto socket = accept_from(listener);
    if (!socket) return;
    std::string request;
    while (!request.ends_with("\r\n\r\n") &&
           receive_some(*socket, request, TestClock::now() + 5s)) {
    }
    send_all(*socket, answer);
  });
  return port;
}

TEST(CurlTest, ReadsStatusHeadersAndBody) {
  std::thread server;
  const auto port = serve_once(server,
                               "HTTP/1.1 100 Continue\r\nX-Event-Return-Code: 9\r\n\r\n"
                               "HTTP/1.1 404 Nobody Home\r\nX-Thing:  a: b\r\n"
                               "Content-Length: 4\r\n\r\nbody");
  const auto response = curl({"http://127.0.0.1:" + std::to_string(port)});
  server.join();
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.reason, "Nobody Home");
  EXPECT_EQ(response.header("x-thing"), "a: b");
  EXPECT_EQ(response.code(), std::nullopt);
  EXPECT_EQ(response.body, "body");
}

TEST(FaultProxyTest, CarriesFreezesAndCuts) {
  const auto listener = listen_on_loopback();
  FaultProxy relay(port_of(listener), "127.0.0.9");
  auto client = connect_to(relay.port());
  ASSERT_TRUE(client);
  auto server = accept_from(listener);
  ASSERT_TRUE(server);
  ASSERT_TRUE(send_all(*client, "up"));
  std::string received;
  ASSERT_TRUE(receive_some(*server, received, TestClock::now() + 5s));
  EXPECT_EQ(received, "up");
  EXPECT_EQ(relay.bytes_to_server(), 2u);

  relay.freeze(true);
  std::this_thread::sleep_for(50ms);  // longer than one turn of the proxy
  ASSERT_TRUE(send_all(*client, "held"));
  EXPECT_FALSE(receive_some(*server, received, TestClock::now() + 100ms));
  relay.freeze(false);
  EXPECT_TRUE(receive_some(*server, received, TestClock::now() + 5s));
  EXPECT_EQ(received, "upheld");

  relay.cut();
  EXPECT_TRUE(closes(*client));
  EXPECT_TRUE(closes(*server));
}

TEST(UdpSinkTest, MatchesWholeDatagrams) {
  UdpSink sink;
  Process sender(
      {.argv = {"bash", "-c",
                "printf 'a.timing:12|ms' > /dev/udp/127.0.0.1/" + std::to_string(sink.port())}});
  EXPECT_TRUE(sink.receives_timing("a.timing"));
  EXPECT_FALSE(sink.receives_timing("timing", 20ms));
  EXPECT_FALSE(sink.receives("a.timing", 20ms));
}

}  // namespace
}  // namespace rp::product
