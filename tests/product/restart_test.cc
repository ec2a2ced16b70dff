#include <gtest/gtest.h>
#include <signal.h>

#include "tests/product/harness/broken_wire.h"
#include "tests/product/harness/expect.h"

/// The other process is another one: each state of a call has its end, and an error with a name
/// says whether its handler may have run.
namespace rp::product {
namespace {

void expect_may_have_run(const Response& response) {
  EXPECT_EQ(response.status, 502);
  EXPECT_TRUE(contains(response.body, "\"session_lost\"")) << response.body;
  EXPECT_TRUE(contains(response.body, "\"may_have_run\":true")) << response.body;
}

using RestartTest = BrokenWireTest;

TEST_F(RestartTest, AWrittenCallFailsAndSaysThatItMayHaveRun) {
  start();
  CurlRun written({C("/server/sleep//20")});
  EXPECT_TRUE(holds_for(300ms, [&] { return written.running(); }));
  replace_server();
  expect_may_have_run(written.finish());
}

TEST_F(RestartTest, AWrittenCallOfTheServerFailsWhenAnotherClientProcessComes) {
  start({"--return-wait", "60"});
  CurlRun written({S("/client/alpha/sleep//20")});
  EXPECT_TRUE(holds_for(300ms, [&] { return written.running(); }));
  replace_client();
  expect_may_have_run(written.finish());
}

TEST_F(RestartTest, AnAnswerThatIsLostWithItsProcessIsSaidToBePossible) {
  start();
  const auto observer =
      make_client({.identity = authority_.client("beta"), .pipe_port = server_->pipe_port()});
  const auto runs = [&] { return curl({observer->base() + "/server/runs/of//answered"}).body; };
  wire_->hang(FaultProxy::Way::to_client);
  CurlRun answered({C("/server/run//answered"), "-d", "x"});
  ASSERT_TRUE(eventually([&] { return runs() == "1"; }));
  EXPECT_TRUE(answered.running());
  replace_server();
  wire_->cut();
  expect_may_have_run(answered.finish());
  EXPECT_EQ(runs(), "0") << "the new process was asked again";
}

TEST_F(RestartTest, ACallThatIsMadeMeanwhileRunsOnTheNewProcess) {
  start();
  wire_->refuse(1000);
  server_->process().signal(SIGKILL);
  server_->process().wait();
  ASSERT_TRUE(client_->unready());
  CurlRun waiting({C("/server/run//waiting"), "-d", "x"});
  EXPECT_TRUE(holds_for(300ms, [&] { return waiting.running(); }));
  restart_server(flags_);
  wire_->refuse(0);
  EXPECT_EQ(waiting.finish().body, "x");
  EXPECT_EQ(curl({C("/server/runs/of//waiting")}).body, "1");
}

TEST_F(RestartTest, CallsThatWereNotWrittenRunOnTheNewProcessAndTheOthersFail) {
  start();
  wire_->hang(FaultProxy::Way::to_server);
  // More than the sockets between the two hold: the last calls wait inside the client.
  const std::string body(60'000, 'b');
  std::vector<Socket> callers;
  for (int i = 0; i < 400; ++i) {
    callers.push_back(connect_to(client_->rest_port()).value());
    ASSERT_TRUE(send_all(callers.back(), "POST /server/run//many-" + std::to_string(i) +
                                             " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close"
                                             "\r\nContent-Length: 60000\r\n\r\n" +
                                             body));
  }
  replace_server();
  wire_->cut();
  int ran = 0;
  int lost = 0;
  for (const Socket& caller : callers) {
    std::string answer;
    const auto deadline = TestClock::now() + 30s;
    while (receive_some(caller, answer, deadline)) {
    }
    ran += answer.starts_with("HTTP/1.1 200 ") ? 1 : 0;
    lost += contains(answer, "\"session_lost\"") ? 1 : 0;
  }
  EXPECT_EQ(ran + lost, 400);
  EXPECT_GT(ran, 0);
  EXPECT_GT(lost, 0);
  EXPECT_EQ(curl({C("/server/runs")}).body,
            "{\"ids\": " + std::to_string(ran) + ", \"repeated\": 0}");
}

TEST_F(RestartTest, AStreamBreaksOffVisibly) {
  start();
  CurlRun stream({"-N", "--limit-rate", "1M", C("/server/pattern//1000")});
  EXPECT_TRUE(holds_for(500ms, [&] { return stream.running(); }));
  replace_server();
  const auto response = stream.finish();
  EXPECT_NE(response.exit_code, 0) << "curl takes it for complete";
  EXPECT_LT(response.body.size(), 1000u * 65'536);
  EXPECT_TRUE(client_->process().err_line("code=session_lost")) << client_->log();
}

/// An upload that takes a minute, begun for certain.
std::unique_ptr<CurlRun> slow_upload(const std::string& url, const std::string& data) {
  auto upload = std::make_unique<CurlRun>(std::vector<std::string>{
      "-X", "POST", "-H", "Expect:", "-T", data, "--limit-rate", "500K", url});
  EXPECT_TRUE(holds_for(1s, [&] { return upload->running(); }));
  return upload;
}

TEST_F(RestartTest, AnUploadFailsAndSaysThatItMayHaveRun) {
  start({"--return-wait", "60"});
  const auto data = authority_.scratch("upload");
  write_text(data, std::string(30'000'000, 'u'));
  const auto to_server = slow_upload(C("/server/length"), data.string());
  replace_server();
  expect_may_have_run(to_server->finish());
  ASSERT_TRUE(client_->ready());
  ASSERT_TRUE(server_knows("alpha"));
  const auto to_client = slow_upload(S("/client/alpha/length"), data.string());
  replace_client();
  expect_may_have_run(to_client->finish());
}

TEST_F(RestartTest, AHandlerHearsThatItsCallersProcessIsGone) {
  start();
  const auto seen = [&](const std::string& what) {
    return curl({S("/client/alpha/" + what)}).body;
  };
  CurlRun waiting({S("/client/alpha/wait//a")});
  ASSERT_TRUE(eventually([&] { return seen("runs/of//a") == "1"; }));
  replace_server();
  EXPECT_TRUE(eventually([&] { return seen("left/at//a") != "0"; }));
}

TEST_F(RestartTest, ACallWithAnIdempotencyKeyIsRepeated) {
  start();
  CurlRun keyed({"-H", "Idempotency-Key: once", C("/server/sleep//2")});
  EXPECT_TRUE(holds_for(300ms, [&] { return keyed.running(); }));
  replace_server();
  expect_reply(keyed.finish(), "0", "application/json", "slept");
}

}  // namespace
}  // namespace rp::product
