#include "handlers/local/local_call.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

namespace rp::handlers {

LocalCall::LocalCall(boost::asio::io_context& context, pipe::Event event, std::string body,
                     pipe::Origin origin, std::shared_ptr<pipe::ReplySink> sink)
    : context_(context),
      event_(std::move(event)),
      origin_(std::move(origin)),
      sink_(std::move(sink)),
      deadline_(context),
      body_ended_(!event_.body_follows) {
  if (!body.empty()) pieces_.push_back(std::move(body));
}

template <class Work>
void LocalCall::on_thread(Work work) {
  boost::asio::post(context_, [self = shared_from_this(), work = std::move(work)]() mutable {
    if (!self->over()) work(*self);
  });
}

void LocalCall::launch() {
  on_thread([](LocalCall& call) {
    call.watch_deadline();
    call.on_start();
  });
}

void LocalCall::cancel() {
  on_thread([](LocalCall& call) {
    call.take_sink();
    call.leave();
  });
}

void LocalCall::consumed(std::size_t bytes) {
  on_thread([bytes](LocalCall& call) {
    const bool was_full = call.room() == 0;
    call.unconsumed_bytes_ -= std::min(call.unconsumed_bytes_, bytes);
    if (was_full && call.room() > 0) call.on_room();
  });
}

void LocalCall::body_data(std::string piece) {
  on_thread([piece = std::move(piece)](LocalCall& call) mutable {
    if (piece.empty() || call.body_ended_) return;
    call.pieces_.push_back(std::move(piece));
    call.on_body();
  });
}

void LocalCall::body_end() {
  on_thread([](LocalCall& call) {
    call.body_ended_ = true;
    call.on_body();
  });
}

void LocalCall::watch_deadline() {
  if (event_.deadline == pipe::Clock::time_point::max()) return;
  deadline_.expires_at(event_.deadline);
  deadline_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
    if (ec) return;
    const auto noun = self->event_.noun.substr(0, self->event_.noun.find("//"));
    self->fail(pipe::Errc::deadline_exceeded,
               "the call's time ran out in its handler " + self->event_.verb + " " + noun);
  });
}

std::string_view LocalCall::body() const noexcept {
  if (pieces_.empty()) return {};
  return std::string_view(pieces_.front()).substr(used_bytes_);
}

void LocalCall::use_body(std::size_t bytes) {
  if (bytes == 0) return;
  used_bytes_ += bytes;
  if (used_bytes_ == pieces_.front().size()) {
    pieces_.pop_front();
    used_bytes_ = 0;
  }
  if (event_.body_follows && sink_) sink_->body_consumed(bytes);
}

std::size_t LocalCall::room() const noexcept {
  return pipe::kStreamWindowBytes - std::min(unconsumed_bytes_, pipe::kStreamWindowBytes);
}

std::shared_ptr<pipe::ReplySink> LocalCall::take_sink() { return std::exchange(sink_, nullptr); }

void LocalCall::leave() {
  deadline_.cancel();
  pieces_.clear();
  used_bytes_ = 0;
  on_over();
}

void LocalCall::reply(pipe::ReplyHead&& head, std::string&& body) {
  if (const auto sink = take_sink()) {
    sink->reply(std::move(head), std::move(body));
    leave();
  }
}

void LocalCall::begin(pipe::ReplyHead&& head) {
  if (sink_) sink_->begin(std::move(head));
}

void LocalCall::write(std::string piece) {
  if (!sink_ || piece.empty()) return;
  unconsumed_bytes_ += piece.size();
  sink_->data(std::move(piece));
}

void LocalCall::end() {
  if (const auto sink = take_sink()) {
    sink->end();
    leave();
  }
}

void LocalCall::fail(pipe::Errc code, std::string detail) {
  if (const auto sink = take_sink()) {
    sink->fail({code, std::move(detail)});
    leave();
  }
}

}  // namespace rp::handlers
