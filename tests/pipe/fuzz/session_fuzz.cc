#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipe/core/session.h"

/// A peer that may say anything, while calls are made, answered, cancelled and given up and links
/// break and come back: the session must stay within its bounds, end every call at most once and at
/// its end all of them, and send nothing but whole frames.
///
/// The first byte of the input chooses the side. Then each byte is a step: below 0x40, the peer
/// sends that many bytes of the input and one more; below 0x80, 64 times as many; the others are
/// those of Step.
namespace {

using namespace rp::pipe;

void require(bool ok) {
  if (!ok) std::abort();
}

enum class Step : std::uint8_t {
  short_wait = 0x80,
  long_wait,
  call,
  call_with_body,
  call_that_follows,
  body_data,
  body_end,
  cancel,
  consume,
  break_link,  // the next byte says how many of our frames the peer has, above what it must have
  answer,
  stream_answer,
  fail_answer,
  consume_body,
  drain,
};

class Home final : public HomeThread {
 public:
  bool is_current() const noexcept override { return true; }
  void post(Task) override { require(false); }
};

class Owner final : public SessionOwner {
 public:
  void session_woke() override {}
  void session_draining(const Failure&) override {}
  void session_pinged() override {}
  void session_ponged(Clock::duration) override {}
};

class Sink final : public Caller {
 public:
  void reply(ReplyHead&&, std::string&&) override { end(); }
  void begin(ReplyHead&&) override { require(!begun_ && endings == 0), begun_ = true; }
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
  void body_data(std::string piece) override {
    require(!ended_ && !piece.empty());
    held += piece.size();
    require(held <= kStreamWindow);
  }
  void body_end() override { require(!std::exchange(ended_, true)); }

  static constexpr std::size_t kStreamWindow = 4096;
  std::size_t held = 0;  // bytes of the request's body that have not been consumed

 private:
  bool ended_ = false;
};

/// Answers at once where the noun begins with 'e' or 'b'; else when a step says so.
class Target final : public EventTarget {
 public:
  std::shared_ptr<CallControl> submit(Event&& event, std::string&& body, const Origin&,
                                      std::shared_ptr<ReplySink>&& sink) override {
    auto control = std::make_shared<Control>();
    switch (event.noun.empty() ? '\0' : event.noun[0]) {
      case 'e':
        sink->reply({}, std::move(body));
        break;
      case 'b':
        sink->reply({}, std::string(100'000, 'b'));
        break;
      default:
        kept_.push_back({std::move(sink), control});
    }
    return control;
  }

  void answer(Step how) {
    if (kept_.empty()) return;
    const auto [sink, control] = kept_.back();
    if (how == Step::consume_body) return sink->body_consumed(std::exchange(control->held, 0));
    kept_.pop_back();
    if (how == Step::answer) return sink->reply({}, "answer");
    sink->begin({});
    sink->data("some");
    how == Step::stream_answer ? sink->end() : sink->fail({Errc::handler_failed, "it broke"});
  }

 private:
  struct Kept {
    std::shared_ptr<ReplySink> sink;
    std::shared_ptr<Control> control;
  };
  std::vector<Kept> kept_;
};

constexpr std::size_t kOutboundBytesMax = 64 * 1024;
constexpr std::size_t kSessionWindow = 16 * 1024;

Session::Options options(Session::Side side) {
  Session::Options o;
  o.side = side;
  o.limits.calls_in_flight_max = 16;
  o.limits.stream_window_bytes = Control::kStreamWindow;
  o.limits.session_window_bytes = kSessionWindow;
  o.limits.outbound_bytes_max = kOutboundBytesMax;
  return o;
}

Hello hello() {
  Hello h;
  h.calls_in_flight_max = 4;
  h.stream_window_bytes = 1000;
  h.session_window_bytes = 100'000;
  return h;
}

class Run {
 public:
  Run(bool dials, std::string_view input)
      : input_(input),
        session_(options(dials ? Session::Side::dialler : Session::Side::acceptor), hello(),
                 target_, home_, owner_, now_) {
    require(!session_.attach(0, now_));
    make_call("time", std::string(70'000, 'q'), false);
  }

  void all_steps() {
    while (!input_.empty() && !session_.is_over()) {
      step(static_cast<std::uint8_t>(take(1)[0]));
      take_output();
      require(session_.stats().calls_in_in_flight <= 16);
      require(session_.stats().calls_out_in_flight <= 4);
      require(session_.stats().unacknowledged_bytes <= kSessionWindow + 4 * 65'536);
    }
    take_output();
    session_.end(now_);
    require(session_.stats().calls_in_in_flight == 0);
    require(session_.stats().calls_out_in_flight == 0);
    for (const Made& made : made_) require(made.cancelled || made.sink->endings == 1);
  }

 private:
  struct Made {
    std::shared_ptr<Sink> sink;
    CallTicket ticket;
    bool cancelled = false;
  };

  std::string_view take(std::size_t bytes) {
    const std::string_view taken = input_.substr(0, bytes);
    input_.remove_prefix(taken.size());
    return taken;
  }

  void step(std::uint8_t byte) {
    if (byte < 0x40) return receive(byte + std::size_t{1});
    if (byte < 0x80) return receive((byte - std::size_t{0x3f}) * 64);
    switch (static_cast<Step>(byte)) {
      case Step::short_wait:
        return wait(std::chrono::milliseconds(10));
      case Step::long_wait:
        return wait(std::chrono::seconds(4));
      case Step::call:
        return make_call("time", {}, false);
      case Step::call_with_body:
        return make_call("cat", std::string(70'000, 'q'), false);
      case Step::call_that_follows:
        return make_call("upload", {}, true);
      case Step::body_data:
        return session_.body_data(made_.back().ticket, std::string(500, 'd'));
      case Step::body_end:
        return session_.body_end(made_.back().ticket);
      case Step::cancel:
        made_.back().cancelled = made_.back().cancelled || made_.back().sink->endings == 0;
        return session_.cancel(made_.back().ticket);
      case Step::consume:
        for (const Made& made : made_) session_.consumed(made.ticket, 100);
        return;
      case Step::break_link:
        return break_link();
      case Step::drain:
        return session_.goodbye({Errc::draining, "bye"}, /*drain=*/true);
      case Step::answer:
      case Step::stream_answer:
      case Step::fail_answer:
      case Step::consume_body:
        return target_.answer(static_cast<Step>(byte));
    }
  }

  void receive(std::size_t bytes) {
    const std::string piece(take(bytes));  // of its own, so that reading beyond it shows
    (void)session_.receive(piece, now_);
  }

  void wait(Clock::duration time) {
    now_ += time;
    if (now_ < session_.wake_at()) return;
    if (session_.on_time(now_) == Errc::heartbeat_missed) break_link();
  }

  void make_call(const char* noun, std::string body, bool follows) {
    Event event;
    event.verb = "post";
    event.noun = noun;
    event.body_follows = follows;
    auto sink = std::make_shared<Sink>();
    const auto ticket = session_.call(event, std::move(body), sink, now_);
    if (ticket) made_.push_back({sink, *ticket});
    require(ticket || sink->endings == 0);
  }

  void break_link() {
    session_.detach(now_);
    if (session_.is_over()) return;
    const std::string_view more = take(1);
    const std::uint64_t has = acknowledged_ + (more.empty() ? 0 : std::uint8_t(more[0]));
    const error_code ec = session_.attach(has, now_);
    require(!ec || (ec == Errc::protocol_violation && session_.is_over()));
    require(ec || has <= frames_sent_);
    if (ec) return;
    acknowledged_ = has;
    repeats_ = frames_sent_ - has;
  }

  /// Frames that a session gives out are whole; after a new link, the old ones come first.
  void take_output() {
    if (!session_.is_attached()) return;
    std::string out;
    session_.produce(out, 64 * 1024, now_);
    FrameDecoder decoder(Limits::kFrameBytesMax);
    decoder.push(out);
    while (auto frame = decoder.next()) {
      require(static_cast<bool>(*frame));
      if (!is_reliable((*frame)->header.type)) continue;
      repeats_ > 0 ? --repeats_ : ++frames_sent_;
    }
    require(decoder.buffered_bytes() == 0);
  }

  std::string_view input_;
  Clock::time_point now_{std::chrono::hours(1)};
  Home home_;
  Owner owner_;
  Target target_;
  std::vector<Made> made_;
  std::uint64_t frames_sent_ = 0;   // reliable ones
  std::uint64_t repeats_ = 0;       // of the frames that are still to come
  std::uint64_t acknowledged_ = 0;  // what the peer had at the last link
  Session session_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const void* bytes = data + 1;
  Run run((data[0] & 1) != 0, {static_cast<const char*>(bytes), size - 1});
  run.all_steps();
  return 0;
}
