#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/rest/front_end.h"

namespace rp::rest::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMiB = 1024 * 1024;

ResponseHead text_head() { return {200, "", "text/plain", {}}; }

/// A body of which every part is recognisable.
std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i / 7 + i / 4099) % 26);
  return text;
}

TEST(StreamTest, GoesOutInChunks) {
  const FrontEnd front([](const std::shared_ptr<Exchange>& exchange) {
    exchange->begin(text_head());
    EXPECT_TRUE(exchange->write("one "));
    EXPECT_TRUE(exchange->write(""));
    EXPECT_TRUE(exchange->write("two"));
    exchange->end();
  });
  auto client = front.connect();
  for (int i = 0; i < 2; ++i) {
    client.send(get("/"));
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.header("transfer-encoding"), "chunked");
    EXPECT_FALSE(answer.has("content-length"));
    EXPECT_EQ(answer.body, "one two");
    EXPECT_TRUE(answer.complete);
  }
}

TEST(StreamTest, ShowsEachPieceBeforeTheNextIsWritten) {
  Handover<std::shared_ptr<Exchange>> handed;
  const FrontEnd front(
      [&](std::shared_ptr<Exchange> exchange) { handed.put(std::move(exchange)); });
  auto client = front.connect();
  client.send(get("/events"));
  const auto exchange = handed.take().value();
  exchange->begin(text_head());
  while (client.read_bytes(1) != "\n" || client.read_bytes(2) != "\r\n") {
  }
  for (const std::string piece : {"first", "again", "three"}) {
    EXPECT_TRUE(exchange->write(piece));
    EXPECT_EQ(client.read_bytes(10), "5\r\n" + piece + "\r\n");
  }
  exchange->end();
  EXPECT_EQ(client.read_bytes(5), "0\r\n\r\n");
}

TEST(StreamTest, EndsByCloseForHttp10) {
  const FrontEnd front([](const std::shared_ptr<Exchange>& exchange) {
    exchange->begin(text_head());
    exchange->write("piece");
    exchange->end();
  });
  auto client = front.connect();
  client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_FALSE(answer.has("transfer-encoding"));
  EXPECT_EQ(answer.body, "piece");
}

TEST(StreamTest, SendsNoBodyForHeadAndStillReportsIt) {
  std::atomic<std::size_t> flushed{0};
  std::vector<std::shared_ptr<Exchange>> kept;  // an exchange that is gone is told nothing
  const FrontEnd front([&](const std::shared_ptr<Exchange>& exchange) {
    kept.push_back(exchange);
    exchange->on_flushed([&](std::size_t bytes) { flushed += bytes; });
    exchange->begin(text_head());
    exchange->write("piece");
    exchange->end();
  });
  auto client = front.connect();
  client.send("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/"));
  EXPECT_EQ(client.read_answer(/*to_head=*/true).status, 200);
  EXPECT_EQ(client.read_answer().body, "piece");
  EXPECT_TRUE(eventually([&] { return flushed == 10; }));
}

TEST(StreamTest, HonoursALengthThatIsKnown) {
  const FrontEnd front([](const std::shared_ptr<Exchange>& exchange) {
    auto head = text_head();
    head.headers.push_back({"Content-Length", "6"});
    exchange->begin(head);
    exchange->write("abc");
    exchange->write("def");
    exchange->end();
  });
  const auto answer = front.ask(get("/"));
  EXPECT_EQ(answer.header("content-length"), "6");
  EXPECT_FALSE(answer.has("transfer-encoding"));
  EXPECT_EQ(answer.body, "abcdef");
}

TEST(StreamTest, ClosesWhenABodyMissesItsLength) {
  for (const std::string body : {"short", "far too long"}) {
    const FrontEnd front([&](const std::shared_ptr<Exchange>& exchange) {
      auto head = text_head();
      head.headers.push_back({"Content-Length", "8"});
      exchange->begin(head);
      exchange->write(body);
      exchange->end();
    });
    auto client = front.connect();
    client.send(get("/"));
    EXPECT_FALSE(client.read_answer().complete) << body;
    EXPECT_TRUE(client.closed_within(kPatience)) << body;
  }
}

TEST(StreamTest, TellsAProducerThatItsBodyExceedsItsLength) {
  Handover<std::shared_ptr<Exchange>> told;
  const FrontEnd front([&](const std::shared_ptr<Exchange>& exchange) {
    auto head = text_head();
    head.headers.push_back({"Content-Length", "2"});
    exchange->on_disconnect([&told, exchange] { told.put(exchange); });
    exchange->begin(head);
    exchange->write("abc");
  });
  auto client = front.connect();
  client.send(get("/"));
  const auto exchange = told.take();
  ASSERT_TRUE(exchange);
  EXPECT_FALSE((*exchange)->write("more"));
}

TEST(StreamTest, ShowsThatAStreamBrokeOff) {
  const FrontEnd front([](const std::shared_ptr<Exchange>& exchange) {
    exchange->begin(text_head());
    exchange->write("half");
    exchange->abort();
    EXPECT_FALSE(exchange->write("more"));
    exchange->end();
  });
  auto modern = front.connect();
  modern.send(get("/"));
  EXPECT_FALSE(modern.read_answer().complete);
  EXPECT_TRUE(modern.closed_within(kPatience));
  // Only the reset tells an HTTP/1.0 client: an orderly close would be the end of the body.
  auto old = front.connect();
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.read_until_closed().find("half"), std::string::npos);
}

TEST(StreamTest, BreakingOffBeforeTheHeadIsA500) {
  const FrontEnd front([](const std::shared_ptr<Exchange>& exchange) { exchange->abort(); });
  EXPECT_EQ(front.ask(get("/")).status, 500);
}

TEST(StreamTest, IgnoresWhatComesTooLate) {
  const FrontEnd front([](const std::shared_ptr<Exchange>& exchange) {
    exchange->respond(ok("first"));
    exchange->respond(ok("second"));
    exchange->begin(text_head());
    EXPECT_FALSE(exchange->write("third"));
    exchange->end();
    exchange->abort();
  });
  auto client = front.connect();
  for (int i = 0; i < 2; ++i) {
    client.send(get("/"));
    EXPECT_EQ(client.read_answer().body, "first");
  }
}

/// Writes `total` bytes, never more than `window` ahead of what has been flushed.
class WindowedProducer : public std::enable_shared_from_this<WindowedProducer> {
 public:
  WindowedProducer(std::shared_ptr<Exchange> exchange, std::string body, std::size_t window)
      : exchange_(std::move(exchange)), body_(std::move(body)), credit_(window) {}

  void start() {
    exchange_->on_flushed([self = shared_from_this()](std::size_t bytes) { self->more(bytes); });
    exchange_->begin(text_head());
    more(0);
  }

 private:
  void more(std::size_t credit) {
    credit_ += credit;
    while (written_ < body_.size() && credit_ > 0) {
      const auto piece = body_.substr(written_, std::min<std::size_t>(credit_, 5000));
      written_ += piece.size();
      credit_ -= piece.size();
      EXPECT_TRUE(exchange_->write(piece));
    }
    if (written_ == body_.size() && !std::exchange(ended_, true)) exchange_->end();
  }

  const std::shared_ptr<Exchange> exchange_;
  const std::string body_;
  std::size_t credit_;
  std::size_t written_ = 0;
  bool ended_ = false;
};

TEST(StreamTest, LetsAProducerFollowItsReader) {
  const auto body = pattern(8 * kMiB);
  const FrontEnd front([&](const std::shared_ptr<Exchange>& exchange) {
    std::make_shared<WindowedProducer>(exchange, body, 256 * 1024)->start();
  });
  auto client = front.connect(/*receive_buffer=*/4096);
  client.send(get("/"));
  const auto answer = client.read_answer();
  EXPECT_TRUE(answer.complete);
  EXPECT_TRUE(answer.body == body);
}

TEST(StreamTest, CutsAProducerThatIgnoresItsReader) {
  ServerOptions options;
  options.limits.stream_bytes_max = kMiB;
  Handover<std::size_t> accepted;
  std::atomic<int> told{0};
  const FrontEnd front(
      [&](const std::shared_ptr<Exchange>& exchange) {
        exchange->on_disconnect([&] { ++told; });
        exchange->begin(text_head());
        std::size_t written = 0;
        const std::string piece(64 * 1024, 'x');
        while (written < 64 * kMiB && exchange->write(piece)) written += piece.size();
        accepted.put(written);
      },
      options);
  auto client = front.connect(4096);
  client.send(get("/"));
  EXPECT_EQ(accepted.take(), kMiB);
  EXPECT_FALSE(client.read_answer().complete);
  EXPECT_EQ(told, 1);
}

TEST(StreamTest, OneSlowReaderDelaysNobodyElse) {
  const auto large = pattern(16 * kMiB);
  const FrontEnd front([&](const std::shared_ptr<Exchange>& exchange) {
    exchange->respond(ok(exchange->request().path() == "/large" ? large : "small"));
  });
  auto slow = front.connect(16 * 1024);
  slow.send(get("/large"));
  EXPECT_EQ(slow.read_bytes(12), "HTTP/1.1 200");
  auto quick = front.connect();
  const auto started = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    quick.send(get("/small"));
    EXPECT_EQ(quick.read_answer().body, "small");
  }
  EXPECT_LT(std::chrono::steady_clock::now() - started, 5s);
  const auto head = slow.read_bytes(17);
  EXPECT_EQ(head.substr(0, 3), " OK");
  const auto rest = slow.read_bytes(large.size());
  EXPECT_EQ(rest.size(), large.size());
}

TEST(StreamTest, CutsAReaderThatTakesNothing) {
  ServerOptions options;
  options.limits.write_timeout = 100ms;
  const FrontEnd front(
      [&](const std::shared_ptr<Exchange>& exchange) {
        exchange->respond(ok(std::string(32 * kMiB, 'x')));
      },
      options);
  auto client = front.connect(4096);
  client.send(get("/"));
  EXPECT_TRUE(eventually([&] { return front.stats().readers_cut == 1; }));
  EXPECT_TRUE(eventually([&] { return front.stats().connections_open == 0; }));
}

TEST(StreamTest, CarriesLargeBodiesBothWays) {
  const FrontEnd front([](const std::shared_ptr<Exchange>& exchange) {
    exchange->respond(ok(exchange->take_body()));
  });
  const auto body = pattern(10 * kMiB);
  auto counted = front.connect();
  std::thread sender([&] { counted.send(post("/", body)); });
  const auto answer = counted.read_answer();
  sender.join();
  EXPECT_TRUE(answer.body == body);

  auto chunked = front.connect();
  std::thread chunker([&] {
    chunked.send("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (std::size_t at = 0; at < body.size(); at += 100'000) {
      const auto piece = std::string_view(body).substr(at, 100'000);
      char size[16];
      std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
      chunked.send(size);
      chunked.send(piece);
      chunked.send("\r\n");
    }
    chunked.send("0\r\n\r\n");
  });
  const auto echoed = chunked.read_answer();
  chunker.join();
  EXPECT_TRUE(echoed.body == body);
}

}  // namespace
}  // namespace rp::rest::test
