/// Puts, takes and full cycles on a message queue, from many connections at once:
///
///   bench_broker --broker NAME --port N --connections N --body N --words cycle|puts|takes --ms N
///   bench_broker --broker NAME --port N --body N --fill N       puts N messages and leaves them
#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio.hpp>

#include "tools/bench/broker_wire.h"
#include "tools/bench/meter.h"

namespace rp::bench {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// What one caller does again and again.
using Words = std::vector<Word>;

const std::map<std::string, Words> kWords = {
    {"cycle", {Word::put, Word::take, Word::acknowledge}},
    {"puts", {Word::put}},
    {"takes", {Word::take, Word::acknowledge}},
};

/// One connection: word, answer, next word. Tells `finished` after each round of words; goes on
/// while that returns true.
class Caller {
 public:
  Caller(asio::io_context& context, std::unique_ptr<BrokerWire> wire, Words words, std::string body)
      : socket_(context),
        wire_(std::move(wire)),
        words_(std::move(words)),
        body_(std::move(body)) {}

  void connect(std::uint16_t port) {
    socket_.connect({asio::ip::address_v4::loopback(), port});
    socket_.set_option(asio::ip::tcp::no_delay(true));
  }

  void run(std::function<bool()> finished) {
    finished_ = std::move(finished);
    say();
  }

 private:
  void say() {
    switch (words_[at_]) {
      case Word::put:
        request_ = wire_->put(body_);
        break;
      case Word::take:
        request_ = wire_->take();
        break;
      case Word::acknowledge:
        request_ = wire_->acknowledge(handle_);
        break;
    }
    asio::write(socket_, asio::buffer(request_));  // small: the socket takes it at once
    listen();
  }

  void listen() {
    socket_.async_read_some(asio::buffer(buffer_), [this](error_code ec, std::size_t received) {
      if (ec) throw std::runtime_error("the queue closed the connection: " + ec.message());
      input_.append(buffer_.data(), received);
      if (const auto reply = wire_->read(words_[at_], input_)) {
        input_.erase(0, reply->bytes);
        heard(*reply);
      } else {
        listen();
      }
    });
  }

  void heard(const BrokerReply& reply) {
    if (reply.empty) return say();  // somebody else was faster: what was put is there
    if (words_[at_] == Word::take) {
      if (reply.body_bytes != body_.size()) throw std::runtime_error("a body of another size came");
      handle_ = reply.handle;
    }
    if (++at_ == words_.size()) {
      at_ = 0;
      if (!finished_()) return socket_.close();
    }
    say();
  }

  asio::ip::tcp::socket socket_;
  const std::unique_ptr<BrokerWire> wire_;
  const Words words_;
  const std::string body_;
  std::function<bool()> finished_;
  std::size_t at_ = 0;
  std::string request_;
  std::string handle_;
  std::string input_;
  std::array<char, 32 * 1024> buffer_;
};

struct Options {
  std::string broker;
  std::uint16_t port = 0;
  std::size_t connections = 1;
  std::size_t body_bytes = 100;
  std::string words = "cycle";
  std::size_t fill = 0;
  int measured_ms = 2000;
};

void run(const Options& options) {
  asio::io_context context{1};
  const bool filling = options.fill > 0;
  std::vector<std::unique_ptr<Caller>> callers;
  ClosedLoop loop({.in_flight = options.connections,
                   .measured = std::chrono::milliseconds(options.measured_ms)});
  for (std::size_t i = 0; i < options.connections; ++i) {
    // Bodies differ, since a list finds what is to be removed by its value.
    std::string body = std::to_string(i) + ':';
    body.resize(options.body_bytes, 'x');
    callers.push_back(std::make_unique<Caller>(context, make_wire(options.broker, i),
                                               kWords.at(filling ? "puts" : options.words),
                                               std::move(body)));
    callers.back()->connect(options.port);
  }
  loop.start();
  std::size_t left = options.fill;
  for (std::size_t i = 0; i < callers.size(); ++i) {
    callers[i]->run([&, i] {
      if (filling) return left > 0 && --left > 0;
      return loop.answered(i);
    });
  }
  context.run();
  if (!filling) std::printf("%s\n", loop.figures().c_str());
}

}  // namespace
}  // namespace rp::bench

int main(int argc, char** argv) {
  using rp::bench::kBrokers;
  CLI::App app("Load on a message queue");
  rp::bench::Options options;
  const std::vector<std::string> brokers(std::begin(kBrokers), std::end(kBrokers));
  app.add_option("--broker", options.broker, "whose protocol")
      ->required()
      ->check(CLI::IsMember(brokers));
  app.add_option("--port", options.port, "where it listens on 127.0.0.1")->required();
  app.add_option("--connections", options.connections, "at once")->check(CLI::Range(1, 4096));
  app.add_option("--body", options.body_bytes, "bytes of a message")
      ->check(CLI::Range(8, 10'000'000));
  app.add_option("--words", options.words, "cycle, puts or takes")
      ->check(CLI::IsMember({"cycle", "puts", "takes"}));
  app.add_option("--fill", options.fill, "put so many messages and leave them");
  app.add_option("--ms", options.measured_ms, "milliseconds to measure")
      ->check(CLI::Range(100, 60000));
  CLI11_PARSE(app, argc, argv);
  try {
    rp::bench::run(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
  return 0;
}
