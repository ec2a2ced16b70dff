#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>

#include "tools/bench/echo_main.h"
#include "tools/bench/pipe_ends.h"

/// Our side: calls through one pipe, made on its own I/O thread, answered inline by the handler.
namespace rp::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

class NoControl final : public pipe::CallControl {
 public:
  void cancel() override {}
  void consumed(std::size_t) override {}
};

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
  const std::shared_ptr<NoControl> control_ = std::make_shared<NoControl>();
};

/// All callers of one loop, each with the event that a REST front-end would make of a small POST.
class Callers {
 public:
  Callers(ClosedLoop& loop, std::promise<std::string>& ended) : loop_(loop), ended_(ended) {}

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
      if (body.size() != kBodyBytes) return all.end("a wrong answer");
      if (all.loop_.answered(number)) return all.call(shared_from_this());
      if (all.loop_.done()) all.end("");
    }
    void begin(pipe::ReplyHead&&) override {}
    void data(std::string) override {}
    void end() override {}
    void fail(pipe::Failure failure) override { all.end(failure.detail); }

    Callers& all;
    const std::size_t number;
  };

  void end(const std::string& wrong) {
    if (!std::exchange(has_ended_, true)) ended_.set_value(wrong);
  }

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
  std::promise<std::string>& ended_;  // "" or what went wrong
  bool has_ended_ = false;
  const std::string body_ = std::string(kBodyBytes, 'x');
  std::shared_ptr<pipe::EventTarget> peer_;
  std::vector<std::shared_ptr<Caller>> callers_;
};

void serve(const std::filesystem::path& identity) {
  pipe::IoThread thread;
  EchoTarget target;
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
  Callers callers(loop, ended);
  pipe::IoThread thread;
  DialledPipe told;
  told.opened = [&callers](std::shared_ptr<pipe::EventTarget> peer) {
    callers.start(std::move(peer));
  };
  told.ended = [](const std::string& why) { throw std::runtime_error("the pipe ended: " + why); };
  asio::co_spawn(thread.context(),
                 hold_pipe({asio::ip::address_v4::loopback(), port}, thread,
                           tls_of(identity, certs::Role::client), std::move(told)),
                 rethrow);
  thread.start();
  const std::string wrong = ended.get_future().get();
  thread.stop();
  if (!wrong.empty()) throw std::runtime_error(wrong);
}

}  // namespace
}  // namespace rp::bench

int main(int argc, char** argv) {
  return rp::bench::echo_main(argc, argv, {&rp::bench::serve, &rp::bench::load});
}
