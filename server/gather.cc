#include "server/gather.h"

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "node/ended_call.h"
#include "node/escape.h"
#include "pipe/answer_by.h"
#include "rest/text.h"
#include "server/gather_entry.h"
#include "server/gather_output.h"
#include "server/gathered_reply.h"

namespace rp::server {
namespace {

using pipe::Clock;
using pipe::Errc;

/// When the clients' time is over.
Clock::time_point clients_deadline(Clock::time_point deadline, std::chrono::milliseconds timeout) {
  const auto now = Clock::now();
  return deadline == Clock::time_point::max() ? now + timeout : pipe::answer_by(deadline, now);
}

/// Whether an Accept header asks for a line per reply.
bool names_ndjson(std::string_view accept) {
  while (!accept.empty()) {
    const auto range = rest::next_list_element(accept);
    const auto type = rest::trimmed(range.substr(0, range.find(';')));
    if (rest::equals_ignoring_case(type, "application/x-ndjson")) return true;
  }
  return false;
}

bool takes_lines(const pipe::Event& event) {
  return std::any_of(event.headers.begin(), event.headers.end(), [](const pipe::Header& header) {
    return header.name == "accept" && names_ndjson(header.value);
  });
}

pipe::Failure too_large(std::size_t bytes_max) {
  return {Errc::body_too_large, "the request body exceeds " + std::to_string(bytes_max) +
                                    " bytes, the most that all clients are sent"};
}

pipe::ReplyHead head_of(const char* content_type) {
  pipe::ReplyHead head;
  head.content_type = content_type;
  return head;
}

}  // namespace

/// One gathered answer in the making. Until it is over its timer owns it, afterwards whoever reads
/// the answer.
class Gather::Call final : public pipe::CallControl,
                           public GatherTally,
                           public std::enable_shared_from_this<Call> {
 public:
  Call(const Gather& gather, std::vector<std::string> names, pipe::Event event,
       std::shared_ptr<pipe::ReplySink> sink)
      : find_(gather.find_),
        limits_(gather.limits_),
        held_(gather.held_),
        by_line_(takes_lines(event)),
        sink_(std::move(sink)),
        output_(sink_),
        timer_(gather.context_),
        names_(std::move(names)),
        event_(std::move(event)) {
    event_.target.clear();
    event_.body_follows = false;
    event_.body_bytes.reset();
    event_.deadline = clients_deadline(event_.deadline, limits_.timeout);
    if (by_line_) {  // that was for us
      std::erase_if(event_.headers, [](const auto& header) { return header.name == "accept"; });
    }
  }
  ~Call() override {
    held_->bytes -= taken_;
    --held_->gathers;
  }

  void start(const std::string& body, bool body_follows);

  void cancel() override;
  void consumed(std::size_t bytes) override;
  void body_data(std::string piece) override;
  void body_end() override;

  bool take(std::size_t bytes) override;
  void give_back(std::size_t bytes) override;
  void settle(const std::string& name, const std::string& members, std::size_t counted) override;

 private:
  using Replies = std::unordered_map<std::string, std::shared_ptr<GatheredReply>>;

  void keep(const std::string& piece);
  void ask();
  bool may_ask() const;
  void expire();
  void note(const std::string& name, const std::string& members, std::size_t counted = 0);
  void close_if_complete();
  void refuse(pipe::Failure failure);
  void over();

  const FindClient find_;
  const GatherLimits limits_;
  const std::shared_ptr<Held> held_;
  const bool by_line_;
  const std::shared_ptr<pipe::ReplySink> sink_;
  GatherOutput output_;
  boost::asio::steady_timer timer_;  // on its context only

  std::mutex mutex_;  // guards the rest
  const std::vector<std::string> names_;
  pipe::Event event_;  // constant once the body is complete
  std::string body_;
  bool body_complete_ = false;
  bool over_ = false;    // nothing more is asked or taken
  bool asking_ = false;  // some thread is inside ask() and comes back for more
  std::size_t at_once_ = 1;
  std::size_t next_ = 0;  // names before it have been asked
  std::size_t settled_ = 0;
  Replies asked_;                               // without an answer yet
  std::map<std::string, std::string> replies_;  // for the object: name to members
  std::size_t taken_ = 0;                       // our part of held_->bytes
};

void Gather::Call::start(const std::string& body, bool body_follows) {
  boost::asio::post(timer_.get_executor(), [self = shared_from_this()] {
    self->timer_.expires_at(self->event_.deadline);
    self->timer_.async_wait([self](boost::system::error_code ec) {
      if (!ec) self->expire();
    });
  });
  keep(body);
  if (!body_follows) body_end();
}

/// Adds to the request's body, which all clients get.
void Gather::Call::keep(const std::string& piece) {
  {
    const std::lock_guard lock(mutex_);
    if (over_ || body_complete_) return;
    if (body_.size() + piece.size() > limits_.request_bytes_max) {
      refuse(too_large(limits_.request_bytes_max));
    } else if (held_->bytes + piece.size() > limits_.held_bytes_max) {
      refuse({Errc::overloaded, "too many bodies are held; nothing ran"});
    } else {
      held_->bytes += piece.size();
      taken_ += piece.size();
      body_ += piece;
    }
  }
  output_.run();
}

void Gather::Call::body_data(std::string piece) {
  keep(piece);
  sink_->body_consumed(piece.size());
}

void Gather::Call::body_end() {
  {
    const std::lock_guard lock(mutex_);
    if (over_ || body_complete_) return;
    body_complete_ = true;
    const std::size_t copies = limits_.copies_bytes_max / std::max<std::size_t>(1, body_.size());
    at_once_ = std::clamp<std::size_t>(copies, 1, limits_.clients_at_once_max);
    if (by_line_) output_.begin(head_of("application/x-ndjson"));
    close_if_complete();
  }
  output_.run();
  ask();
}

/// Asks as many as may be asked at once. An answer may come while we ask, on this thread too; then
/// the round that is under way goes on instead of a second one.
void Gather::Call::ask() {
  std::unique_lock lock(mutex_);
  if (asking_) return;
  asking_ = true;
  while (may_ask()) {
    const std::string& name = names_[next_++];
    const auto answer =
        std::make_shared<GatheredReply>(weak_from_this(), name, limits_.reply_bytes_max);
    asked_.emplace(name, answer);
    lock.unlock();
    answer->steer(find_(name)->submit(pipe::Event(event_), std::string(body_), {}, answer));
    lock.lock();
  }
  asking_ = false;
}

bool Gather::Call::may_ask() const {
  if (over_ || !body_complete_ || next_ == names_.size()) return false;
  // A reader that does not keep up with the lines is not given more of them.
  const bool behind = by_line_ && taken_ - body_.size() > limits_.replies_bytes_max / 2;
  return asked_.size() < at_once_ && !behind;
}

bool Gather::Call::take(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (taken_ - body_.size() + bytes > limits_.replies_bytes_max) return false;
  if (held_->bytes + bytes > limits_.held_bytes_max) return false;
  held_->bytes += bytes;
  taken_ += bytes;
  return true;
}

void Gather::Call::give_back(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const std::size_t given = std::min(bytes, taken_ - body_.size());
  held_->bytes -= given;
  taken_ -= given;
}

void Gather::Call::settle(const std::string& name, const std::string& members,
                          std::size_t counted) {
  std::shared_ptr<GatheredReply> kept;  // the one who calls this may have no other owner
  {
    const std::lock_guard lock(mutex_);
    const auto found = asked_.find(name);
    if (over_ || found == asked_.end()) return;
    kept = std::move(found->second);
    asked_.erase(found);
    note(name, members, counted);
    close_if_complete();
  }
  output_.run();
  ask();
}

/// Enters one client's part. What it takes beyond the counted bytes is small and always held.
void Gather::Call::note(const std::string& name, const std::string& members, std::size_t counted) {
  ++settled_;
  std::string line = "{\"node\":" + node::json_quoted(name) + ',' + members + "}\n";
  const std::size_t more = line.size() - counted;
  held_->bytes += more;
  taken_ += more;
  if (by_line_) {
    output_.push(line);
  } else {
    replies_.emplace(name, members);
  }
}

void Gather::Call::close_if_complete() {
  if (settled_ < names_.size()) return;
  over();
  if (by_line_) return output_.end();
  std::string document = "{";
  for (const auto& [name, members] : replies_) {
    document += (document.size() > 1 ? "," : "") + node::json_quoted(name) + ":{" + members + '}';
  }
  replies_.clear();
  output_.reply(head_of("application/json"), document + "}\n");
}

/// With the lock held: nothing is asked or taken any more.
void Gather::Call::over() {
  over_ = true;
  boost::asio::post(timer_.get_executor(), [self = shared_from_this()] { self->timer_.cancel(); });
}

void Gather::Call::refuse(pipe::Failure failure) {
  over();
  output_.fail(std::move(failure));
}

/// The time is up: whoever has not replied is listed with the reason.
void Gather::Call::expire() {
  Replies late;
  {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    if (!body_complete_) {
      refuse({Errc::deadline_exceeded, "the request body did not end in time; nothing ran", true});
    } else {
      late.swap(asked_);
      for (const auto& [name, answer] : late) {
        note(name, error_members({Errc::deadline_exceeded,
                                  "no reply within the time; the handler may have run"}));
      }
      for (; next_ < names_.size(); ++next_) {
        note(names_[next_], error_members({Errc::not_sent,
                                           "the time was over before this client "
                                           "could be asked; nothing ran"}));
      }
      close_if_complete();
    }
  }
  output_.run();
  for (const auto& [name, answer] : late) answer->cancel();
}

void Gather::Call::cancel() {
  Replies left;
  {
    const std::lock_guard lock(mutex_);
    if (!over_) over();
    left.swap(asked_);
    output_.stop();
  }
  for (const auto& [name, answer] : left) answer->cancel();
}

void Gather::Call::consumed(std::size_t bytes) {
  give_back(bytes);
  output_.consumed(bytes);
  output_.run();
  ask();
}

Gather::Gather(boost::asio::io_context& context, FindClient find, GatherLimits limits)
    : context_(context), find_(std::move(find)), limits_(limits) {}

std::shared_ptr<pipe::CallControl> Gather::submit(std::vector<std::string> names, pipe::Event event,
                                                  std::string body,
                                                  std::shared_ptr<pipe::ReplySink> sink) {
  if (event.body_bytes.value_or(0) > limits_.request_bytes_max) {
    sink->fail(too_large(limits_.request_bytes_max));
    return node::ended_call();
  }
  if (++held_->gathers > limits_.gathers_max) {
    --held_->gathers;
    sink->fail({Errc::overloaded, "too many requests to all clients are under way; nothing ran"});
    return node::ended_call();
  }
  const bool body_follows = event.body_follows;
  auto call = std::make_shared<Call>(*this, std::move(names), std::move(event), std::move(sink));
  call->start(body, body_follows);
  return call;
}

}  // namespace rp::server
