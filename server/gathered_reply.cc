#include "server/gathered_reply.h"

#include "server/gather_entry.h"

namespace rp::server {
namespace {

pipe::Failure too_many_bytes() {
  return {pipe::Errc::overloaded, "the replies together exceed what is held for one answer"};
}

}  // namespace

void GatheredReply::steer(std::shared_ptr<pipe::CallControl> control) {
  std::unique_lock lock(mutex_);
  control_ = control;
  const std::size_t bytes = std::exchange(untold_, 0);
  const bool cancelled = cancelled_;
  lock.unlock();
  if (cancelled) return control->cancel();
  if (bytes > 0) control->consumed(bytes);
}

void GatheredReply::cancel() {
  std::unique_lock lock(mutex_);
  cancelled_ = true;
  const auto control = control_;
  lock.unlock();
  if (control) control->cancel();
}

void GatheredReply::reply(pipe::ReplyHead&& head, std::string&& body) {
  head_ = std::move(head);
  if (take(body)) end();
}

void GatheredReply::begin(pipe::ReplyHead&& head) { head_ = std::move(head); }

void GatheredReply::data(std::string piece) {
  if (take(piece)) consumed(piece.size());
}

void GatheredReply::end() {
  const auto tally = tally_.lock();
  if (!tally || done_) return;
  const std::string members = reply_members(head_, body_);
  tally->give_back(std::exchange(body_, {}).size());
  if (!tally->take(members.size())) return give_up(*tally, too_many_bytes());
  done_ = true;
  tally->settle(name_, members, members.size());
}

void GatheredReply::fail(pipe::Failure failure) {
  const auto tally = tally_.lock();
  if (tally && !done_) give_up(*tally, failure);
}

void GatheredReply::give_up(GatherTally& tally, const pipe::Failure& failure) {
  done_ = true;
  tally.give_back(std::exchange(body_, {}).size());
  tally.settle(name_, error_members(failure), 0);
}

/// A part of the reply's body; false when that was too much, and the reply has ended over it.
bool GatheredReply::take(const std::string& piece) {
  const auto tally = tally_.lock();
  if (!tally || done_) return false;
  if (body_.size() + piece.size() > bytes_max_) {
    give_up(*tally,
            {pipe::Errc::body_too_large, "the reply exceeds " + std::to_string(bytes_max_) +
                                             " bytes, the most that is gathered of one client"});
  } else if (!tally->take(piece.size())) {
    give_up(*tally, too_many_bytes());
  } else {
    body_ += piece;
    return true;
  }
  cancel();
  return false;
}

void GatheredReply::consumed(std::size_t bytes) {
  std::unique_lock lock(mutex_);
  const auto control = control_;
  if (!control) untold_ += bytes;
  lock.unlock();
  if (control) control->consumed(bytes);
}

}  // namespace rp::server
