#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/core/session.h"

/// Any bytes into an open session with calls in both directions: it must stay within its bounds,
/// end every call exactly once, and send nothing but whole frames. The first byte of the input
/// chooses the side and how the rest is split.
namespace {

using namespace rp::pipe;

void require(bool ok) {
  if (!ok) std::abort();
}

class Home final : public HomeThread {
 public:
  bool is_current() const noexcept override { return true; }
  void post(Task) override { require(false); }
};

class Owner final : public SessionOwner {
 public:
  void session_woke() override {}
  void session_opened() override {}
  void session_draining(const Failure&) override {}
  void session_pinged() override {}
  void session_ponged(Clock::duration) override {}
};

class Sink final : public ReplySink {
 public:
  void reply(ReplyHead, std::string) override { end(); }
  void begin(ReplyHead) override { require(!begun_ && endings == 0), begun_ = true; }
  void data(std::string) override { require(begun_ && endings == 0); }
  void end() override { require(++endings == 1); }
  void fail(Failure) override { end(); }
  int endings = 0;

 private:
  bool begun_ = false;
};

class Control final : public CallControl {
 public:
  void cancel() override {}
  void consumed(std::size_t) override {}
};

/// Answers by the first letter of the noun; others never.
class Target final : public EventTarget {
 public:
  std::shared_ptr<CallControl> submit(Event event, std::string body, Origin,
                                      std::shared_ptr<ReplySink> sink) override {
    switch (event.noun.empty() ? '\0' : event.noun[0]) {
      case 'e':
        sink->reply({}, std::move(body));
        break;
      case 'b':
        sink->reply({}, std::string(100'000, 'b'));
        break;
      case 's':
        sink->begin({});
        sink->data("some");
        sink->fail({Errc::handler_failed, "it broke"});
        break;
      default:
        kept_.push_back(std::move(sink));
    }
    return std::make_shared<Control>();
  }

 private:
  std::vector<std::shared_ptr<ReplySink>> kept_;
};

constexpr std::size_t kHeldBytesMax = 64 * 1024;

Session::Options options(Session::Side side) {
  Session::Options o;
  o.side = side;
  o.limits.calls_in_flight_max = 16;
  o.limits.stream_window_bytes = 4096;
  o.limits.session_window_bytes = 16 * 1024;
  o.limits.request_body_bytes_max = 8 * 1024;
  o.limits.gathered_bytes_max = 32 * 1024;
  o.limits.outbound_bytes_max = kHeldBytesMax;
  return o;
}

Event event() {
  Event e;
  e.verb = "get";
  e.noun = "time";
  return e;
}

/// Frames that a session gives out are whole, and none follows a GOODBYE without drain.
void take_output(Session& session, Clock::time_point now) {
  std::string out;
  session.produce(out, 64 * 1024, now);
  FrameDecoder decoder(Limits::kFrameBytesMax);
  decoder.push(out);
  while (auto frame = decoder.next()) require(static_cast<bool>(*frame));
  require(decoder.buffered_bytes() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const void* bytes = data + 1;
  std::string_view input(static_cast<const char*>(bytes), size - 1);
  const bool dials = (data[0] & 1) != 0;
  const std::size_t piece_bytes = (data[0] >> 1) * std::size_t{37} + 1;

  Clock::time_point now{std::chrono::hours(1)};
  Home home;
  Owner owner;
  Target target;
  std::vector<std::shared_ptr<Sink>> sinks;
  {
    Session session(options(dials ? Session::Side::dialler : Session::Side::acceptor), target, home,
                    owner, now);
    Hello hello;
    hello.calls_in_flight_max = 4;
    hello.stream_window_bytes = 1000;
    hello.session_window_bytes = 100'000;
    require(!session.receive(encode_hello(hello), now));
    std::vector<CallTicket> tickets;
    for (const std::size_t body_bytes : {0UL, 10UL, 70'000UL}) {
      sinks.push_back(std::make_shared<Sink>());
      const auto ticket = session.call(event(), std::string(body_bytes, 'q'), sinks.back(), now);
      require(static_cast<bool>(ticket));
      tickets.push_back(*ticket);
    }
    error_code ended;
    while (!input.empty() && !ended) {
      const std::string piece(input.substr(0, piece_bytes));
      input.remove_prefix(piece.size());
      ended = session.receive(piece, now);
      take_output(session, now);
      now += std::chrono::milliseconds(10);
      if (!ended && now >= session.wake_at()) ended = session.on_time(now);
      for (const CallTicket& ticket : tickets) session.consumed(ticket, 100);
      require(session.stats().calls_in_in_flight <= 16);
      require(session.stats().calls_out_in_flight <= 3);
    }
    take_output(session, now);
    session.end();
    require(session.stats().calls_in_in_flight == 0);
    require(session.stats().calls_out_in_flight == 0);
  }
  for (const auto& sink : sinks) require(sink->endings == 1);
  return 0;
}
