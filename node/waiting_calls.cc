#include "node/waiting_calls.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "node/handed_on_call.h"

namespace rp::node {

/// One waiting event. It leaves the wait exactly once: forwarded, failed or cancelled.
class WaitingCalls::Call final : public HandedOnCall,
                                 public std::enable_shared_from_this<WaitingCalls::Call> {
 public:
  Call(std::weak_ptr<WaitingCalls> owner, boost::asio::io_context& context,
       std::vector<std::string> keys, pipe::Event event, std::string body, pipe::Origin origin,
       std::shared_ptr<pipe::ReplySink> sink)
      : owner_(std::move(owner)),
        keys_(std::move(keys)),
        timer_(context),
        event_(std::move(event)),
        body_(std::move(body)),
        origin_(std::move(origin)),
        sink_(std::move(sink)) {}

  bool fits(const std::vector<std::string>& keys) const {
    return std::any_of(keys.begin(), keys.end(), [this](const std::string& key) {
      return std::find(keys_.begin(), keys_.end(), key) != keys_.end();
    });
  }

  void start_timer(std::chrono::milliseconds wait) {
    const auto over = pipe::Clock::now() + wait;
    const bool deadline_first = event_.deadline < over;
    timer_.expires_at(std::min(over, event_.deadline));
    timer_.async_wait([self = shared_from_this(), deadline_first](boost::system::error_code ec) {
      if (ec) return;
      self->leave();
      self->fail(deadline_first ? pipe::Errc::deadline_exceeded : pipe::Errc::peer_unavailable);
    });
  }

  void forward(pipe::EventTarget& target) {
    std::shared_ptr<pipe::ReplySink> sink = take_sink();
    if (!sink) return;
    stop_timer();
    hand_on(
        target.submit(std::move(event_), std::move(body_), std::move(origin_), std::move(sink)));
  }

  void fail(pipe::Errc reason) {
    if (auto sink = take_sink()) sink->fail({reason, sentence(reason), true});
  }

  void cancel() override {
    leave();
    if (take_sink()) stop_timer();
    HandedOnCall::cancel();
  }

 private:
  static std::string sentence(pipe::Errc reason) {
    if (reason == pipe::Errc::peer_unavailable) {
      return "no pipe to the node was open within the connection wait; the handler has not run";
    }
    std::string sentence = pipe::make_error_code(reason).message();
    if (reason == pipe::Errc::deadline_exceeded) sentence += " before a pipe to the node was open";
    return sentence + "; the handler has not run";
  }

  /// The right to speak to the sink; null for everyone but the first.
  std::shared_ptr<pipe::ReplySink> take_sink() {
    const std::lock_guard lock(mutex_);
    return std::exchange(sink_, nullptr);
  }

  /// On the timer's own context, where it may be firing right now.
  void stop_timer() {
    boost::asio::post(timer_.get_executor(),
                      [self = shared_from_this()] { self->timer_.cancel(); });
  }

  void leave() {
    if (auto owner = owner_.lock()) owner->remove(this);
  }

  const std::weak_ptr<WaitingCalls> owner_;
  const std::vector<std::string> keys_;
  boost::asio::steady_timer timer_;  // on the context; started before anyone else has the call
  pipe::Event event_;
  std::string body_;
  pipe::Origin origin_;
  std::mutex mutex_;  // guards sink_
  std::shared_ptr<pipe::ReplySink> sink_;
};

std::shared_ptr<WaitingCalls> WaitingCalls::create(boost::asio::io_context& context,
                                                   Options options) {
  return std::shared_ptr<WaitingCalls>(new WaitingCalls(context, options));
}

std::shared_ptr<pipe::CallControl> WaitingCalls::add(std::vector<std::string> keys,
                                                     pipe::Event event, std::string body,
                                                     pipe::Origin origin,
                                                     std::shared_ptr<pipe::ReplySink> sink) {
  auto call = std::make_shared<Call>(weak_from_this(), context_, std::move(keys), std::move(event),
                                     std::move(body), std::move(origin), std::move(sink));
  std::optional<pipe::Errc> refused;
  {
    const std::lock_guard lock(mutex_);
    refused = closed_;
    if (!refused && calls_.size() >= options_.calls_max) refused = pipe::Errc::overloaded;
    if (!refused) {
      call->start_timer(options_.wait);
      calls_.push_back(call);
    }
  }
  if (refused) call->fail(*refused);
  return call;
}

void WaitingCalls::forward(const std::vector<std::string>& keys, pipe::EventTarget& target) {
  std::list<std::shared_ptr<Call>> fitting;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = calls_.begin(); at != calls_.end();) {
      const auto here = at++;
      if ((*here)->fits(keys)) fitting.splice(fitting.end(), calls_, here);
    }
  }
  for (const auto& call : fitting) call->forward(target);
}

void WaitingCalls::close(pipe::Errc reason) {
  std::list<std::shared_ptr<Call>> failed;
  {
    const std::lock_guard lock(mutex_);
    closed_ = reason;
    failed.swap(calls_);
  }
  for (const auto& call : failed) call->fail(reason);
}

std::size_t WaitingCalls::size() const {
  const std::lock_guard lock(mutex_);
  return calls_.size();
}

void WaitingCalls::remove(const Call* call) {
  const std::lock_guard lock(mutex_);
  calls_.remove_if([call](const std::shared_ptr<Call>& c) { return c.get() == call; });
}

}  // namespace rp::node
