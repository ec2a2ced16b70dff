#include "server/client_session.h"

#include <utility>

#include "pipe/log.h"

namespace rp::server {

using pipe::Errc;

ClientSession::ClientSession(Context context, pipe::IoThread& thread, std::uint64_t link,
                             pipe::Origin peer, pipe::Hello hello)
    : context_(std::move(context)),
      number_(link),
      pipe_(pipe::Session::Side::acceptor, peer, hello, thread, pipe_options(peer.node),
            context_.runtime.handlers(), static_cast<pipe::PipeOwner&>(*this)),
      newest_link_(link) {
  const bool keeps_sessions = context_.runtime.config().session_grace.count() > 0;
  if (keeps_sessions && has_feature(hello, pipe::kFeatureResume)) keys_.emplace();
}

/// What the pipe cannot send any more waits for the client's next one, which may be up already.
pipe::Pipe::Options ClientSession::pipe_options(const std::string& client) {
  pipe::Pipe::Options options = context_.runtime.pipe_options();
  options.returned = [&waiting = context_.runtime.waiting(), &registry = context_.registry, client,
                      number = number_](pipe::Event event, std::string body,
                                        std::shared_ptr<pipe::ReplySink> sink) {
    auto control = waiting.add({client}, std::move(event), std::move(body), {}, std::move(sink));
    const auto now = registry.find(client);
    if (now && now->pipe != number) waiting.forward({client}, *now->target);
    return control;
  };
  return options;
}

bool ClientSession::admits(const std::string& secret) {
  if (!keys_ || pipe_.is_over()) return false;
  if (pipe_.has_heard_from_peer()) keys_->confirm();
  return keys_->admits(secret);
}

boost::asio::awaitable<void> ClientSession::serve(pipe::Connection connection, std::uint64_t link,
                                                  pipe::Hello hello) {
  const auto keep = shared_from_this();
  const bool resumes = link != number_;
  if (resumes && (link < newest_link_ || !connection.is_alive())) co_return;
  newest_link_ = link;
  std::optional<pipe::Hello> ours = make_hello(context_.runtime.pipe_options().self);
  if (keys_) {
    if (resumes) keys_->renew(hello.resume_secret);
    ours->session_id = keys_->session_id();
    ours->resume_secret = keys_->secret();
  }
  const std::uint64_t count = resumes ? hello.received_frames : 0;
  const pipe::error_code why = co_await pipe_.carry(std::move(connection), count, std::move(ours));
  if (!pipe_.has_link()) link_lost(why);
}

void ClientSession::link_lost(pipe::error_code why) {
  const bool kept = keys_ && !pipe_.is_over();
  if (std::exchange(announced_, false)) {
    context_.announcements.down(pipe_.peer(), number_, why, kept);
  }
  if (!kept) return finish(why);
  context_.store.detached(pipe_.peer().node, number_);
}

void ClientSession::finish(pipe::error_code why) {
  if (std::exchange(finished_, true)) return;
  const auto keep = weak_from_this().lock();
  pipe_.end(why);
  if (pipe_.stats().links > 0) context_.announcements.ended(pipe_.peer(), number_, why);
  context_.store.remove(pipe_.peer().node, number_);
  context_.ended(number_);
}

void ClientSession::end(pipe::Failure reason) {
  const pipe::error_code why = reason.code;
  pipe_.goodbye(std::move(reason), /*drain=*/false);
  if (!pipe_.has_link()) finish(why);
}

void ClientSession::drain() {
  pipe_.goodbye({Errc::draining, "the server is shutting down"}, /*drain=*/true);
  if (!pipe_.has_link()) finish(Errc::draining);
}

void ClientSession::pipe_opened(pipe::Pipe& pipe) {
  announced_ = true;
  const bool resumed = pipe.resumes() > 0;
  if (resumed) context_.store.resumed(pipe.peer().node, number_);
  context_.announcements.up({.pipe = number_, .origin = pipe.peer(), .target = pipe.target()},
                            pipe.peer_hello()->software, resumed);
}

void ClientSession::pipe_draining(pipe::Pipe& pipe, const pipe::Failure& reason) {
  log(LogLevel::info, "server", "Client is leaving",
      {{"peer", pipe.peer().node}, {"reason", reason.detail}});
}

void ClientSession::pipe_expired(pipe::Pipe& pipe) {
  log(LogLevel::info, "server", "The client did not come back; its session has ended",
      {{"peer", pipe.peer().node}});
  finish(Errc::session_lost);
}

/// A living client dials again as soon as it knows of its loss.
bool ClientSession::pipe_peer_gone(pipe::Pipe&) { return true; }

void ClientSession::pipe_pinged(pipe::Pipe&) { context_.runtime.instruments().heartbeat_started(); }

void ClientSession::pipe_ponged(pipe::Pipe&, pipe::Clock::duration round_trip) {
  context_.runtime.instruments().heartbeat_answered(round_trip);
}

}  // namespace rp::server
