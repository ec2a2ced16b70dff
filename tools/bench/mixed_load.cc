#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "tools/bench/bulk_bodies.h"
#include "tools/bench/echo_main.h"
#include "tools/bench/pipe_ends.h"

/// One small call after the other through one pipe, while bulk replies stream through it at full
/// speed: `--in-flight N` means N - 1 of these. A second, quiet pipe between the same two threads
/// shows by the round trips of its heartbeats whether these come in time.
namespace rp::bench {
namespace {

// Often enough for some hundred of them while it is measured.
constexpr pipe::Heartbeat kQuickHeartbeat{.interval = std::chrono::milliseconds(10)};

class Target final : public pipe::EventTarget {
 public:
  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin&,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    if (auto control = answer_bulk(event, sink)) return control;
    sink->reply({}, std::move(body));
    return nothing_to_control();
  }
};

/// Makes one small call after the other, all on the pipe's thread.
class SmallCaller final : public pipe::ReplySink, public std::enable_shared_from_this<SmallCaller> {
 public:
  SmallCaller(std::shared_ptr<pipe::EventTarget> peer, ClosedLoop& loop, PipeLoad& pipes)
      : peer_(std::move(peer)), loop_(loop), pipes_(pipes) {}

  void call() {
    pipe::Event event;
    event.verb = "post";
    event.noun = "small";
    event.request_id = "0123456789abcdef";
    peer_->submit(std::move(event), std::string(kBodyBytes, 's'), {}, shared_from_this());
  }
  void reply(pipe::ReplyHead&&, std::string&& body) override {
    if (body.size() != kBodyBytes) return pipes_.finish("a wrong answer");
    loop_.answered(0) ? call() : pipes_.finish();
  }
  void begin(pipe::ReplyHead&&) override {}
  void data(std::string) override {}
  void end() override {}
  void fail(pipe::Failure failure) override { pipes_.finish(failure.detail); }

 private:
  const std::shared_ptr<pipe::EventTarget> peer_;
  ClosedLoop& loop_;
  PipeLoad& pipes_;
};

void serve(const std::filesystem::path& identity, std::uint16_t port) {
  Target target;
  serve_pipes(identity, port, target);
}

void load(const std::filesystem::path& identity, std::uint16_t port, ClosedLoop& loop) {
  PipeLoad pipes(identity, port);
  std::uint64_t bulk_bytes = 0;
  Histogram heartbeats;
  Clock::duration slowest{0};

  const auto passed = [&](std::size_t bytes) {
    bulk_bytes += bytes;
    return true;
  };
  const auto failed = [&](const std::string& why) { pipes.finish("a stream broke: " + why); };
  DialledPipe busy;
  busy.opened = [&](const std::shared_ptr<pipe::EventTarget>& peer) {
    for (std::size_t stream = 1; stream < loop.in_flight(); ++stream) {
      read_bulk(*peer, passed, failed);
    }
    loop.start();
    std::make_shared<SmallCaller>(peer, loop, pipes)->call();
  };
  DialledPipe quiet;
  quiet.heartbeat = kQuickHeartbeat;
  quiet.opened = [](const std::shared_ptr<pipe::EventTarget>&) {};
  quiet.ponged = [&](pipe::Clock::duration round_trip) {
    heartbeats.add(round_trip);
    slowest = std::max(slowest, round_trip);
  };
  pipes.dial(std::move(busy));
  pipes.dial(std::move(quiet));
  const auto from = Clock::now();
  pipes.run();

  using Milliseconds = std::chrono::duration<double, std::milli>;
  const double seconds = std::chrono::duration<double>(Clock::now() - from).count();
  std::printf("bulk_mib_per_s=%.0f heartbeats=%llu heartbeat_p99_ms=%.2f heartbeat_worst_ms=%.2f ",
              static_cast<double>(bulk_bytes) / seconds / (1 << 20),
              static_cast<unsigned long long>(heartbeats.count()),
              Milliseconds(heartbeats.quantile(0.99)).count(), Milliseconds(slowest).count());
}

}  // namespace
}  // namespace rp::bench

int main(int argc, char** argv) {
  return rp::bench::echo_main(argc, argv, {&rp::bench::serve, &rp::bench::load});
}
