#include <cstdio>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>

#include "tools/bench/echo_main.h"
#include "tools/bench/pipe_ends.h"

/// One small call after the other through one pipe, while as many bulk replies as asked for stream
/// through it at full speed: `--in-flight N` means N bulk replies, read as they come.
namespace rp::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::size_t kPieceBytes = std::size_t{64} * 1024;

/// A reply without an end: always as much of it is on its way as the window allows.
class EndlessReply final : public pipe::CallControl {
 public:
  explicit EndlessReply(std::shared_ptr<pipe::ReplySink> sink) : sink_(std::move(sink)) {}

  void start() {
    sink_->begin({});
    consumed(0);
  }
  void cancel() override { sink_.reset(); }
  void consumed(std::size_t bytes) override {
    unconsumed_ -= bytes;
    while (sink_ && unconsumed_ + kPieceBytes <= pipe::kStreamWindowBytes) {
      unconsumed_ += kPieceBytes;
      sink_->data(std::string(kPieceBytes, 'b'));
    }
  }

 private:
  std::shared_ptr<pipe::ReplySink> sink_;
  std::size_t unconsumed_ = 0;
};

class Target final : public pipe::EventTarget {
 public:
  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin&,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    auto control = std::make_shared<EndlessReply>(sink);
    if (event.noun == "bulk") {
      control->start();
    } else {
      sink->reply({}, std::move(body));
    }
    return control;
  }
};

/// Reads a bulk reply as fast as it comes.
class BulkReader final : public pipe::ReplySink {
 public:
  void reply(pipe::ReplyHead&&, std::string&&) override {}
  void begin(pipe::ReplyHead&&) override {}
  void data(std::string piece) override {
    bytes += piece.size();
    if (control) control->consumed(piece.size());
  }
  void end() override {}
  void fail(pipe::Failure) override {}

  std::shared_ptr<pipe::CallControl> control;
  std::uint64_t bytes = 0;
};

/// Makes one small call after the other, all on the pipe's thread.
class SmallCaller final : public pipe::ReplySink, public std::enable_shared_from_this<SmallCaller> {
 public:
  SmallCaller(std::shared_ptr<pipe::EventTarget> peer, ClosedLoop& loop,
              std::promise<std::string>& ended)
      : peer_(std::move(peer)), loop_(loop), ended_(ended) {}

  void call() {
    pipe::Event event;
    event.verb = "post";
    event.noun = "small";
    event.request_id = "0123456789abcdef";
    peer_->submit(std::move(event), std::string(kBodyBytes, 's'), {}, shared_from_this());
  }
  void reply(pipe::ReplyHead&&, std::string&&) override {
    loop_.answered(0) ? call() : ended_.set_value("");
  }
  void begin(pipe::ReplyHead&&) override {}
  void data(std::string) override {}
  void end() override {}
  void fail(pipe::Failure failure) override { ended_.set_value(failure.detail); }

 private:
  const std::shared_ptr<pipe::EventTarget> peer_;
  ClosedLoop& loop_;
  std::promise<std::string>& ended_;
};

void serve(const std::filesystem::path& identity) {
  pipe::IoThread thread;
  Target target;
  tcp::acceptor acceptor(thread.context(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  announce(acceptor.local_endpoint().port());
  asio::co_spawn(
      thread.context(),
      serve_pipes(std::move(acceptor), thread, tls_of(identity, certs::Role::server), target),
      rethrow);
  thread.start();
  std::promise<void>().get_future().wait();
}

void load(const std::filesystem::path& identity, std::uint16_t port, ClosedLoop& loop) {
  std::promise<std::string> ended;
  std::vector<std::shared_ptr<BulkReader>> readers;
  pipe::IoThread thread;
  DialledPipe told;
  told.opened = [&](const std::shared_ptr<pipe::EventTarget>& peer) {
    for (std::size_t i = 0; i + 1 < loop.in_flight(); ++i) {
      pipe::Event event;
      event.verb = "get";
      event.noun = "bulk";
      event.request_id = "bulk";
      readers.push_back(std::make_shared<BulkReader>());
      readers.back()->control = peer->submit(std::move(event), {}, {}, readers.back());
    }
    loop.start();
    std::make_shared<SmallCaller>(peer, loop, ended)->call();
  };
  told.ended = [](const std::string& why) { throw std::runtime_error("the pipe ended: " + why); };
  const auto from = Clock::now();
  asio::co_spawn(thread.context(),
                 hold_pipe({asio::ip::address_v4::loopback(), port}, thread,
                           tls_of(identity, certs::Role::client), std::move(told)),
                 rethrow);
  thread.start();
  const std::string wrong = ended.get_future().get();
  thread.stop();
  if (!wrong.empty()) throw std::runtime_error(wrong);
  std::uint64_t bytes = 0;
  for (const auto& reader : readers) bytes += reader->bytes;
  const double seconds = std::chrono::duration<double>(Clock::now() - from).count();
  std::printf("bulk_mib_per_s=%.0f ", static_cast<double>(bytes) / seconds / (1 << 20));
}

}  // namespace
}  // namespace rp::bench

int main(int argc, char** argv) {
  return rp::bench::echo_main(argc, argv, {&rp::bench::serve, &rp::bench::load});
}
