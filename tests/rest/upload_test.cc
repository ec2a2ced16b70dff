#include <chrono>
#include <mutex>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "pipe/event.h"
#include "tests/rest/gateway_fixture.h"

/// Request bodies that follow their requests: what the target is told, and when the client waits.
namespace rp::rest::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kLong = std::size_t{1} << 20;

class UploadTest : public EventGatewayTest {
 protected:
  void serve(Limits limits = {}) {
    gateway_.emplace(GatewayOptions{});
    router_.prefix(
        "/server/", {}, [this](std::shared_ptr<Exchange> exchange) { route(exchange); },
        Router::Body::streamed);
    router_.prefix("/whole/", {}, [](const std::shared_ptr<Exchange>& exchange) {
      exchange->respond(ok(exchange->take_body()));
    });
    ServerOptions options;
    options.limits = limits;
    options.streams_body = [this](const Request& request) { return router_.streams_body(request); };
    front_.emplace([this](const std::shared_ptr<Exchange>& exchange) { router_(exchange); },
                   std::move(options));
  }

  std::size_t received() { return target_.control->body_bytes(); }

  /// From now on the call owns its sink, and with it the exchange.
  void keep_the_sink() {
    target_.answer_with([control = target_.control](Submission& s) { control->sink = s.sink; });
  }
  /// True when nobody but the test has kept the call.
  bool call_is_let_go() {
    const std::weak_ptr<RecordingControl> control = target_.control;
    target_.control.reset();
    target_.answer_with({});
    return eventually([&] { return control.expired(); });
  }
};

std::string head_of(std::size_t body_bytes) {
  return "POST /server/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
         std::to_string(body_bytes) + "\r\n\r\n";
}

TEST_F(UploadTest, BeginsTheEventBeforeTheBodyHasCome) {
  serve();
  auto client = front_->connect();
  client.send(head_of(kLong) + "first");
  const auto submission = target_.submissions.take();
  ASSERT_TRUE(submission);
  EXPECT_TRUE(submission->event.body_follows);
  EXPECT_EQ(submission->event.body_bytes, kLong);
  EXPECT_EQ(submission->body, "");
  EXPECT_TRUE(eventually([&] { return received() == 5; })) << "pieces are not held back";
  EXPECT_FALSE(target_.control->body_ended);
}

TEST_F(UploadTest, ShortBodiesComeWhole) {
  serve();
  reply_with({}, "thanks");
  auto client = front_->connect();
  client.send(head_of(10) + "12345");
  std::this_thread::sleep_for(10ms);
  client.send("67890");
  EXPECT_EQ(client.read_answer().body, "thanks");
  const auto submission = target_.submissions.take();
  ASSERT_TRUE(submission);
  EXPECT_FALSE(submission->event.body_follows);
  EXPECT_EQ(submission->body, "1234567890");
}

TEST_F(UploadTest, PassesEachChunkOnAsItComes) {
  serve();
  auto client = front_->connect();
  client.send("POST /server/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  auto submission = target_.submissions.take();
  ASSERT_TRUE(submission);
  EXPECT_EQ(submission->event.body_bytes, std::nullopt);
  std::string sent;
  for (const char* chunk : {"3\r\none\r\n", "4\r\n two\r\n"}) {
    client.send(chunk);
    sent += std::string(chunk + 3, static_cast<std::size_t>(chunk[0] - '0'));
    EXPECT_TRUE(eventually([&] { return target_.control->body() == sent; }));
  }
  client.send("0\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return target_.control->body_ended.load(); }));
  submission->sink->reply({}, "done");
  EXPECT_EQ(client.read_answer().body, "done");
  client.send(get("/server/y"));
  EXPECT_TRUE(target_.submissions.take()) << "the connection goes on";
}

TEST_F(UploadTest, ReadsNoMoreThanTheTargetConsumes) {
  serve();
  auto client = front_->connect();
  const std::string body(8 * kLong, 'b');
  std::thread sender([&] { client.send(head_of(body.size()) + body); });
  const auto submission = target_.submissions.take();
  ASSERT_TRUE(submission);
  ASSERT_TRUE(eventually([&] { return received() == pipe::kStreamWindowBytes; }));
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(received(), pipe::kStreamWindowBytes);
  std::size_t consumed = 0;
  while (consumed < body.size()) {
    const std::size_t more = received() - consumed;
    submission->sink->body_consumed(more);
    consumed += more;
    ASSERT_TRUE(eventually([&] { return received() > consumed || consumed == body.size(); }));
    ASSERT_LE(received(), consumed + pipe::kStreamWindowBytes);
  }
  EXPECT_TRUE(eventually([&] { return target_.control->body_ended.load(); }));
  submission->sink->reply({}, "all");
  sender.join();
  EXPECT_EQ(client.read_answer().body, "all");
  EXPECT_TRUE(target_.control->body() == body);
}

TEST_F(UploadTest, ACallerThatLeavesCancels) {
  serve();
  auto client = front_->connect();
  client.send(head_of(kLong) + "some");
  const auto submission = target_.submissions.take();
  ASSERT_TRUE(submission);
  client.close();
  EXPECT_TRUE(eventually([&] { return target_.control->cancelled == 1; }));
}

TEST_F(UploadTest, ABadChunkCancelsAndIsToldSo) {
  serve();
  auto client = front_->connect();
  client.send("POST /server/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  const auto submission = target_.submissions.take();
  ASSERT_TRUE(submission);
  client.send("zz\r\n");
  EXPECT_EQ(client.read_answer().status, 400);
  EXPECT_TRUE(eventually([&] { return target_.control->cancelled == 1; }));
}

TEST_F(UploadTest, AnAnswerBeforeTheEndOfTheBodyIsTheLast) {
  serve();
  fail_with(pipe::Errc::body_too_large, "at most 10 bytes");
  auto client = front_->connect();
  client.send(head_of(kLong) + "some");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_EQ(client.read_until_closed(), "");
}

TEST_F(UploadTest, AnAnswerBeforeTheEndOfTheBodyLetsGoOfTheCall) {
  serve();
  keep_the_sink();
  auto client = front_->connect();
  client.send(head_of(kLong) + "some");
  target_.submissions.take().value().sink->fail({pipe::Errc::body_too_large, ""});
  EXPECT_EQ(client.read_answer().status, 413);
  EXPECT_TRUE(call_is_let_go());
}

TEST_F(UploadTest, ABodyThatBreaksOffLetsGoOfTheCall) {
  serve();
  keep_the_sink();
  auto client = front_->connect();
  client.send("POST /server/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  ASSERT_TRUE(target_.submissions.take());
  client.send("zz\r\n");
  EXPECT_EQ(client.read_answer().status, 400);
  EXPECT_TRUE(call_is_let_go());
}

TEST_F(UploadTest, ACallerThatLeavesLetsGoOfTheCall) {
  serve();
  keep_the_sink();
  auto client = front_->connect();
  client.send(head_of(kLong) + "some");
  ASSERT_TRUE(target_.submissions.take());
  client.close();
  ASSERT_TRUE(eventually([&] { return target_.control->cancelled == 1; }));
  EXPECT_TRUE(call_is_let_go());
}

TEST_F(UploadTest, APauseWithinTheBodyHasALimit) {
  Limits limits;
  limits.body_pause = 100ms;
  limits.body_grace = 100ms;
  serve(limits);
  auto client = front_->connect();
  client.send(head_of(kLong) + "some");
  EXPECT_EQ(client.read_answer().status, 408);
  EXPECT_TRUE(eventually([&] { return target_.control->cancelled == 1; }));
}

TEST_F(UploadTest, TheLimitOfWholeBodiesIsForOtherRoutes) {
  Limits limits;
  limits.body_bytes_max = 1000;
  limits.streamed_body_bytes_max = 2 * kLong;
  serve(limits);
  auto whole = front_->connect();
  whole.send("POST /whole/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n");
  EXPECT_EQ(whole.read_answer().status, 413);
  auto streamed = front_->connect();
  streamed.send(head_of(kLong));
  EXPECT_TRUE(target_.submissions.take());
  auto too_long = front_->connect();
  too_long.send(head_of(2 * kLong + 1));
  EXPECT_EQ(too_long.read_answer().status, 413);
}

TEST_F(UploadTest, AClientThatWaitsForContinueGetsIt) {
  serve();
  auto client = front_->connect();
  client.send(
      "PUT /server/x HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: " +
      std::to_string(kLong) + "\r\n\r\n");
  EXPECT_EQ(client.read_bytes(25), "HTTP/1.1 100 Continue\r\n\r\n");
}

}  // namespace
}  // namespace rp::rest::test
