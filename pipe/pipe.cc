#include "pipe/pipe.h"

#include <utility>

#include "pipe/core/head.h"
#include "pipe/log.h"

namespace rp::pipe {
namespace {

namespace asio = boost::asio;

Origin origin_of(const asio::ip::tcp::socket& socket) {
  error_code ec;
  const auto endpoint = socket.remote_endpoint(ec);
  if (ec) return {};
  auto address = endpoint.address();
  // A client that came through a dual-stack listener has one address, however it is written.
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return {.node = {}, .address = address.to_string(), .port = endpoint.port()};
}

}  // namespace

struct Pipe::Anchor {
  IoThread& thread;
  Session* session = nullptr;  // touched on the thread only; null before HELLO and after the end
};

/// One submitted event. Its members but `anchor_` are touched on the I/O thread only.
class Pipe::Call final : public CallControl, public std::enable_shared_from_this<Call> {
 public:
  explicit Call(std::shared_ptr<Anchor> anchor) : anchor_(std::move(anchor)) {}

  void start(const Event& event, std::string body, std::shared_ptr<ReplySink> sink) {
    if (cancelled_) return;
    if (!anchor_->session) {
      return sink->fail({Errc::peer_unavailable, "the pipe is gone; the handler has not run"});
    }
    // The time serves to say how much is left of a deadline; reading it is a twentieth of a call.
    const bool timed = event.deadline != Clock::time_point::max();
    const auto now = timed ? Clock::now() : Clock::time_point();
    const Result<CallTicket> ticket =
        anchor_->session->call(event, std::move(body), std::move(sink), now);
    if (ticket) {
      ticket_ = *ticket;
      return;
    }
    std::string detail = ticket.error() == Errc::malformed_frame ? check(event) : std::string();
    if (detail.empty()) detail = ticket.error().message();
    sink->fail({static_cast<Errc>(ticket.error().value()), std::move(detail)});
  }

  void cancel() override {
    at_home([](Call& call) {
      call.cancelled_ = true;
      if (call.anchor_->session) call.anchor_->session->cancel(call.ticket_);
    });
  }

  void consumed(std::size_t bytes) override {
    at_home([bytes](Call& call) {
      if (call.anchor_->session) call.anchor_->session->consumed(call.ticket_, bytes);
    });
  }

 private:
  template <class F>
  void at_home(F f) {
    if (anchor_->thread.is_current()) return f(*this);
    anchor_->thread.post([self = shared_from_this(), f] { f(*self); });
  }

  const std::shared_ptr<Anchor> anchor_;
  CallTicket ticket_;
  bool cancelled_ = false;
};

class Pipe::Target final : public EventTarget {
  /// An event on its way to the I/O thread. A thread that has stopped destroys it instead of
  /// running it, and then the one who waits hears so.
  struct Submission {
    std::shared_ptr<Call> call;
    Event event;
    std::string body;
    std::shared_ptr<ReplySink> sink;

    Submission(std::shared_ptr<Call> c, Event e, std::string b, std::shared_ptr<ReplySink> s)
        : call(std::move(c)), event(std::move(e)), body(std::move(b)), sink(std::move(s)) {}
    Submission(Submission&&) noexcept = default;
    ~Submission() {
      if (sink) sink->fail({Errc::stopped, "this node is shutting down; the handler has not run"});
    }
    void operator()() { call->start(event, std::move(body), std::exchange(sink, nullptr)); }
  };

 public:
  explicit Target(std::shared_ptr<Anchor> anchor) : anchor_(std::move(anchor)) {}

  std::shared_ptr<CallControl> submit(Event event, std::string body, Origin /*origin*/,
                                      std::shared_ptr<ReplySink> sink) override {
    auto call = std::make_shared<Call>(anchor_);
    if (anchor_->thread.is_current()) {
      call->start(event, std::move(body), std::move(sink));
      return call;
    }
    anchor_->thread.post(Submission(call, std::move(event), std::move(body), std::move(sink)));
    return call;
  }

 private:
  const std::shared_ptr<Anchor> anchor_;
};

Pipe::Pipe(asio::ip::tcp::socket socket, IoThread& thread, std::shared_ptr<const TlsContext> tls,
           const std::string& host, Options options, EventTarget& local, PipeOwner& owner)
    : thread_(thread),
      options_(std::move(options)),
      local_(local),
      owner_(owner),
      side_(tls->identity().role() == certs::Role::client ? Session::Side::dialler
                                                          : Session::Side::acceptor),
      peer_(origin_of(socket)),
      link_(std::move(socket), thread, std::move(tls), host, options_.link),
      anchor_(std::make_shared<Anchor>(Anchor{thread})) {}

Pipe::~Pipe() { anchor_->session = nullptr; }

asio::awaitable<error_code> Pipe::run() {
  if (auto ec = co_await link_.handshake(Clock::now() + options_.handshake_timeout)) {
    detail_ = link_.tls().failure_reason();
    co_return ec;
  }
  certs::PeerIdentity identity = link_.tls().peer();
  peer_.node = std::move(identity.name);
  peer_not_after_ = identity.not_after;

  Session::Options options;
  options.side = side_;
  options.node = options_.node;
  options.software = options_.software;
  options.origin = peer_;
  options.limits = options_.limits;
  options.heartbeat = options_.heartbeat;
  options.hello_timeout = options_.handshake_timeout;
  options.trace = log_enabled(LogLevel::debug);
  SessionOwner& self = *this;  // the base is private to everyone else
  session_.emplace(std::move(options), local_, thread_, self, Clock::now());
  const error_code refused = owner_.pipe_admitted(*this);
  if (refused) {
    session_->goodbye({static_cast<Errc>(refused.value()), refused.message()}, /*drain=*/false);
  }
  const error_code why = co_await link_.carry(*session_);
  detail_ = session_->end_detail();
  if (detail_.empty()) detail_ = link_.tls().failure_reason();
  anchor_->session = nullptr;
  session_->end();
  co_return refused ? refused : why;
}

void Pipe::close(error_code why) { link_.close(why); }

void Pipe::goodbye(Failure reason, bool drain) {
  if (!session_) return link_.close(reason.code);
  const error_code why = reason.code;
  session_->goodbye(std::move(reason), drain);
  if (!drain) link_.close(why);
}

std::shared_ptr<EventTarget> Pipe::target() const { return std::make_shared<Target>(anchor_); }

void Pipe::session_woke() { link_.wake(); }

void Pipe::session_opened() {
  anchor_->session = &*session_;
  owner_.pipe_opened(*this);
}

void Pipe::session_draining(const Failure& reason) { owner_.pipe_draining(*this, reason); }

void Pipe::session_pinged() { owner_.pipe_pinged(*this); }

void Pipe::session_ponged(Clock::duration round_trip) { owner_.pipe_ponged(*this, round_trip); }

void Pipe::session_traced(bool sent, const FrameHeader& header) {
  log(LogLevel::debug, "pipe", sent ? "Frame sent" : "Frame received",
      {{"peer", peer_.node},
       {"type", frame_type_name(header.type)},
       {"id", header.call},
       {"bytes", header.payload_bytes}});
}

}  // namespace rp::pipe
