#include "pipe/pipe.h"

#include <algorithm>
#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "pipe/log.h"
#include "pipe/pipe_call.h"

namespace rp::pipe {
namespace {

namespace asio = boost::asio;

/// Whether the other side, or what speaks for it, has ended the connection. A living peer knows
/// that too and is back soon; a link that just falls silent says nothing.
bool is_closed_by_peer(error_code why) {
  return why == Errc::link_lost || why == asio::error::connection_reset ||
         why == asio::error::broken_pipe;
}

Session::Options session_options(Session::Side side, const Origin& peer,
                                 const Pipe::Options& options) {
  return {.side = side,
          .origin = peer,
          .limits = options.self.limits,
          .heartbeat = options.self.heartbeat,
          .trace = log_enabled(LogLevel::debug)};
}

}  // namespace

Pipe::Pipe(Session::Side side, Origin peer, Hello hello, IoThread& thread, Options options,
           EventTarget& local, PipeOwner& owner)
    : thread_(thread),
      options_(std::move(options)),
      owner_(owner),
      peer_(std::move(peer)),
      session_(session_options(side, peer_, options_), std::move(hello), local, thread,
               static_cast<SessionOwner&>(*this), Clock::now()),
      anchor_(std::make_shared<Anchor>(Anchor{thread, this, session_, options_.returned})),
      link_gone_(thread.context(), Clock::time_point::max()),
      detached_timer_(thread.context()) {}

Pipe::~Pipe() { anchor_->pipe = nullptr; }

asio::awaitable<error_code> Pipe::carry(Connection connection, std::uint64_t peer_received_frames,
                                        std::optional<Hello> hello) {
  const std::uint64_t mine = ++carriers_;
  while (link_) {
    link_->close(Errc::replaced);
    error_code ignored;
    co_await link_gone_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  if (mine != carriers_) co_return Errc::replaced;  // another link came later
  if (is_over()) co_return Errc::link_lost;

  detached_timer_.cancel();
  peer_.address = connection.peer().address;
  peer_.port = connection.peer().port;
  session_.set_origin(peer_);
  bytes_received_before_ = session_.stats().bytes_received;
  std::string first;
  if (hello) {
    hello->received_frames = session_.received_frames();
    first = encode_hello(*hello);
  }
  link_ = std::make_unique<Link>(std::move(connection), thread_, options_.link);
  error_code why = session_.attach(peer_received_frames, Clock::now());
  if (!why) owner_.pipe_opened(*this);
  why = co_await link_->carry(session_, first);
  detached(why);
  co_return why;
}

void Pipe::detached(error_code why) {
  detail_ = session_.end_detail();
  if (detail_.empty()) detail_ = link_->tls().failure_reason();
  link_.reset();
  link_gone_.cancel();
  const auto now = Clock::now();
  session_.detach(now);
  if (session_.is_over()) return;
  kept_until_ = now + options_.session_grace;
  // A distant peer needs two round trips for TCP and TLS, and one more may be lost.
  peer_gone_at_ = is_closed_by_peer(why)
                      ? now + options_.return_wait + 4 * session_.stats().round_trip
                      : Clock::time_point::max();
  arm_detached_timer();
}

void Pipe::arm_detached_timer() {
  detached_timer_.expires_at(std::min({kept_until_, peer_gone_at_, session_.wake_at()}));
  detached_timer_.async_wait([anchor = anchor_](error_code ec) {
    if (!ec && anchor->pipe && !anchor->pipe->link_) anchor->pipe->on_detached_timer();
  });
}

void Pipe::on_detached_timer() {
  const auto now = Clock::now();
  if (now >= kept_until_) {
    end(Errc::session_lost);
    return owner_.pipe_expired(*this);
  }
  if (now >= peer_gone_at_) {
    const bool gone = owner_.pipe_peer_gone(*this);
    peer_gone_at_ = gone ? Clock::time_point::max() : now + options_.return_wait;
    if (gone) {
      anchor_->ending = true;
      session_.give_up(now);
      anchor_->ending = false;
    }
  }
  (void)session_.on_time(now);  // without a link it fails only when the session is over
  if (!is_over()) arm_detached_timer();
}

void Pipe::end(error_code why) {
  if (link_) link_->close(why);
  detached_timer_.cancel();
  anchor_->ending = true;
  session_.end(Clock::now());
}

void Pipe::drop_link(error_code why) {
  if (link_) link_->close(why);
}

void Pipe::goodbye(Failure reason, bool drain) {
  const error_code why = reason.code;
  session_.goodbye(std::move(reason), drain);
  if (!drain || !link_) end(why);
}

std::shared_ptr<EventTarget> Pipe::target() const { return std::make_shared<Target>(anchor_); }

void Pipe::session_woke() {
  if (link_) link_->wake();
}

void Pipe::session_has_batch() {
  if (link_) link_->send_batch();
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
