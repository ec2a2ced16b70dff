#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tools/bench/echo_main.h"
#include "tools/bench/pipe_ends.h"

/// Our side: calls through one pipe, made on its own I/O thread, answered inline by the handler.
namespace rp::bench {
namespace {

class EchoTarget final : public pipe::EventTarget {
 public:
  std::shared_ptr<pipe::CallControl> submit(pipe::Event&&, std::string&& body, const pipe::Origin&,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    pipe::ReplyHead head;
    head.content_type = "text/plain";
    sink->reply(std::move(head), std::move(body));
    return control_;
  }

 private:
  const std::shared_ptr<pipe::CallControl> control_ = nothing_to_control();
};

/// All callers of one loop, each with the event that a REST front-end would make of a small POST.
class Callers {
 public:
  Callers(ClosedLoop& closed_loop, PipeLoad& load) : loop_(closed_loop), load_(load) {}

  void start(std::shared_ptr<pipe::EventTarget> peer) {
    peer_ = std::move(peer);
    loop_.start();
    for (std::size_t caller = 0; caller < loop_.in_flight(); ++caller) {
      callers_.push_back(std::make_shared<Caller>(*this, caller));
    }
    for (const auto& caller : callers_) call(caller);
  }

 private:
  struct Caller final : pipe::ReplySink, std::enable_shared_from_this<Caller> {
    Caller(Callers& a, std::size_t n) : all(a), number(n) {}

    void reply(pipe::ReplyHead&&, std::string&& body) override {
      if (body.size() != kBodyBytes) return all.load_.finish("a wrong answer");
      if (all.loop_.answered(number)) return all.call(shared_from_this());
      if (all.loop_.done()) all.load_.finish();
    }
    void begin(pipe::ReplyHead&&) override {}
    void data(std::string) override {}
    void end() override {}
    void fail(pipe::Failure failure) override { all.load_.finish(failure.detail); }

    Callers& all;
    const std::size_t number;
  };

  void call(std::shared_ptr<Caller> caller) {
    pipe::Event event;
    event.verb = "post";
    event.noun = "echo";
    event.content_type = "text/plain";
    event.request_id = "0123456789abcdef";
    event.deadline = pipe::Clock::time_point::max();
    peer_->submit(std::move(event), std::string(body_), {}, std::move(caller));
  }

  ClosedLoop& loop_;
  PipeLoad& load_;
  const std::string body_ = std::string(kBodyBytes, 'x');
  std::shared_ptr<pipe::EventTarget> peer_;
  std::vector<std::shared_ptr<Caller>> callers_;
};

void serve(const std::filesystem::path& identity, std::uint16_t port) {
  EchoTarget target;
  serve_pipes(identity, port, target);
}

void load(const std::filesystem::path& identity, std::uint16_t port, ClosedLoop& loop) {
  PipeLoad pipes(identity, port);
  Callers callers(loop, pipes);
  DialledPipe told;
  told.opened = [&callers](std::shared_ptr<pipe::EventTarget> peer) {
    callers.start(std::move(peer));
  };
  pipes.dial(std::move(told));
  pipes.run();
}

}  // namespace
}  // namespace rp::bench

int main(int argc, char** argv) {
  return rp::bench::echo_main(argc, argv, {&rp::bench::serve, &rp::bench::load});
}
