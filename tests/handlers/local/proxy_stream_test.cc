#include <future>

#include "tests/handlers/local/proxy_fixture.h"

/// Bodies and event streams between a caller and a proxied application, and how they end.
namespace rp::handlers {
namespace {

TEST_F(ProxyTest, EventsArriveAsTheyAreSent) {
  std::promise<void> seen_first;
  auto first_seen = seen_first.get_future().share();
  serve([first_seen](AppConnection& app) {
    app.read_head();
    app.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
    first_seen.wait_for(kPatience);
    app.send("9\r\ndata: 2\n\n\r\n0\r\n\r\n");
  });
  const auto asked = call(make_event("get", "app//events"));
  ASSERT_TRUE(asked->wait_bytes(9));
  EXPECT_EQ(asked->body(), "data: 1\n\n");
  EXPECT_FALSE(asked->done());
  seen_first.set_value();
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->body(), "data: 1\n\ndata: 2\n\n");
}

TEST_F(ProxyTest, ABodyThatFollowsIsChunkedUnlessItsLengthIsKnown) {
  std::promise<std::string> chunked;
  std::promise<std::string> counted;
  serve([&](AppConnection& app) {
    const auto head = app.read_head();
    const bool is_chunked = head.find("Transfer-Encoding: chunked") != std::string::npos;
    auto& seen = is_chunked ? chunked : counted;
    const bool is_counted = head.find("Content-Length: 6\r\n") != std::string::npos;
    EXPECT_NE(is_chunked, is_counted) << head;
    seen.set_value(app.read(is_chunked ? 21 : 6));
    app.send(kHello);
  });
  for (const bool known : {false, true}) {
    auto recorder = std::make_shared<RecordingSink>();
    const auto sink = std::make_shared<BodySink>(recorder);
    auto event = make_event("put", "app//x");
    if (known) event.body_bytes = 6;
    const auto control = open(*target_, std::move(event), sink);
    control->body_data("abc");
    control->body_data("def");
    control->body_end();
    ASSERT_TRUE(recorder->wait_done());
    EXPECT_EQ(recorder->body(), "hello");
    EXPECT_EQ(sink->consumed(), 6U);
  }
  EXPECT_EQ(chunked.get_future().get(), "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n");
  EXPECT_EQ(counted.get_future().get(), "abcdef");
}

TEST_F(ProxyTest, ABodyOfAnotherLengthThanSaidEndsTheCall) {
  serve([](AppConnection& app) { EXPECT_LE(app.read(100'000).size(), 1000U); });
  for (const std::string body : {"too long", "x"}) {
    auto recorder = std::make_shared<RecordingSink>();
    auto event = make_event("put", "app//x");
    event.body_bytes = 4;
    const auto control = open(*target_, std::move(event), std::make_shared<BodySink>(recorder));
    control->body_data(body);
    control->body_end();
    ASSERT_TRUE(recorder->wait_done());
    EXPECT_EQ(recorder->error(), pipe::Errc::handler_failed);
  }
}

TEST_F(ProxyTest, AnApplicationThatDoesNotReadHoldsTheSenderBack) {
  std::promise<void> may_read;
  auto allowed = may_read.get_future().share();
  static constexpr std::size_t kTotal = 32 * 1024 * 1024;
  serve([allowed](AppConnection& app) {
    app.read_head();
    allowed.wait_for(kPatience);
    EXPECT_EQ(app.read(kTotal).size(), kTotal);
    app.send(kHello);
  });
  auto recorder = std::make_shared<RecordingSink>();
  const auto sink = std::make_shared<BodySink>(recorder);
  auto event = make_event("put", "app//x");
  event.body_bytes = kTotal;
  const auto control = open(*target_, std::move(event), sink);
  std::size_t sent = 0;
  const auto send_what_fits = [&] {
    while (sent < kTotal && sent - sink->consumed() + 65'536 <= pipe::kStreamWindowBytes) {
      control->body_data(std::string(65'536, 'x'));
      sent += 65'536;
    }
  };
  // Until nothing moves any more, because the sockets are full.
  std::size_t before = 1;
  while (before != sent) {
    before = sent;
    send_what_fits();
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_LT(sent, kTotal);
  may_read.set_value();
  ASSERT_TRUE(eventually([&] {
    send_what_fits();
    return sent == kTotal;
  }));
  control->body_end();
  ASSERT_TRUE(recorder->wait_done());
  EXPECT_EQ(recorder->body(), "hello");
}

TEST_F(ProxyTest, ASlowReaderHoldsTheApplicationBack) {
  static constexpr std::size_t kTotal = 8'000'000;
  std::atomic<bool> all_sent{false};
  serve([&](AppConnection& app) {
    app.read_head();
    app.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kTotal) + "\r\n\r\n");
    app.send(std::string(kTotal, 'x'));
    all_sent = true;
  });
  const auto asked = call(make_event("get", "app//large"));
  ASSERT_TRUE(asked->wait_bytes(pipe::kStreamWindowBytes));
  EXPECT_EQ(asked->head().body_bytes, kTotal);
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(asked->body().size(), pipe::kStreamWindowBytes);
  EXPECT_FALSE(all_sent);
  std::size_t consumed = 0;
  while (!asked->done()) {
    const auto bytes = asked->body().size();
    asked.control->consumed(bytes - consumed);
    consumed = bytes;
    ASSERT_TRUE(asked->wait_bytes(std::min(consumed + 1, kTotal)));
  }
  EXPECT_EQ(asked->body().size(), kTotal);
}

TEST_F(ProxyTest, CancelClosesTheConnectionAtOnce) {
  std::optional<std::promise<void>> arrived;
  std::optional<std::promise<pipe::Clock::time_point>> closed;
  serve([&](AppConnection& app) {
    app.read_head();
    arrived->set_value();
    EXPECT_TRUE(app.closed_by_peer());
    closed->set_value(pipe::Clock::now());
  });
  const auto cancel = [&] {
    arrived.emplace();
    closed.emplace();
    const auto asked = call(make_event("get", "app//slow"));
    arrived->get_future().wait();
    const auto cancelled_at = pipe::Clock::now();
    asked.control->cancel();
    const auto closed_at = closed->get_future().get();
    EXPECT_FALSE(asked->done());
    return closed_at - cancelled_at;
  };
  EXPECT_LT(quickest(100ms, cancel), 100ms);
}

TEST_F(ProxyTest, AnEarlyAnswerEndsTheUpload) {
  serve([](AppConnection& app) {
    app.read_head();
    app.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    app.closed_by_peer();
  });
  auto recorder = std::make_shared<RecordingSink>();
  const auto control =
      open(*target_, make_event("put", "app//x"), std::make_shared<BodySink>(recorder));
  ASSERT_TRUE(recorder->wait_done());
  EXPECT_EQ(recorder->head().http_status, 413);
  control->body_data("late");
  control->body_end();
}

}  // namespace
}  // namespace rp::handlers
