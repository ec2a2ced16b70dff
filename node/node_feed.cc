#include "node/node_feed.h"

#include <algorithm>
#include <deque>
#include <utility>

#include <boost/asio/post.hpp>

#include "rest/problem.h"
#include "rest/text.h"

namespace rp::node {
namespace {

constexpr std::string_view kEventStream = "text/event-stream";

rest::ResponseHead stream_head() {
  rest::ResponseHead head;
  head.content_type = kEventStream;
  head.headers.push_back({"Cache-Control", "no-store"});
  head.headers.push_back({"X-Accel-Buffering", "no"});  // nginx passes each event on as it comes
  return head;
}

rest::Problem refusal(const char* code, const char* detail) {
  rest::Problem problem;
  problem.status = 503;
  problem.code = code;
  problem.detail = detail;
  problem.retryable = true;
  problem.retry_after_s = 1;
  return problem;
}

/// One event of the stream; `json` has no line break.
std::string event_text(std::string_view event, std::uint64_t id, std::string_view json) {
  std::string text = "event: ";
  text.append(event).append("\nid: ").append(std::to_string(id));
  text.append("\ndata: ").append(json).append("\n\n");
  return text;
}

}  // namespace

/// One open stream. On the feed's context only.
class NodeFeed::Watcher {
 public:
  Watcher(std::shared_ptr<rest::Exchange> exchange, const Limits& limits)
      : exchange_(std::move(exchange)), limits_(limits) {}

  rest::Exchange& exchange() { return *exchange_; }

  /// The present state, which everything that was kept meanwhile follows.
  void begin(std::string text) {
    allowed_bytes_ = limits_.backlog_bytes_max + text.size();
    waiting_bytes_ += text.size();
    waiting_.push_front(std::move(text));
    begun_ = true;
    pump();
  }

  /// False when it does not read fast enough.
  bool push(const std::string& text) {
    if (waiting_bytes_ + text.size() > allowed_bytes_) return false;
    waiting_bytes_ += text.size();
    waiting_.push_back(text);
    pump();
    return true;
  }

  void flushed(std::size_t bytes) {
    unsent_bytes_ -= std::min(bytes, unsent_bytes_);
    pump();
  }

 private:
  void pump() {
    while (begun_ && !waiting_.empty() && unsent_bytes_ < limits_.unsent_bytes_max) {
      std::string piece = take();
      waiting_bytes_ -= piece.size();
      unsent_bytes_ += piece.size();
      exchange_->write(std::move(piece));
    }
  }

  /// The first text, or as much of it as may be unsent: a snapshot can be long.
  std::string take() {
    std::string& first = waiting_.front();
    const std::size_t room = limits_.unsent_bytes_max - unsent_bytes_;
    if (first.size() - at_ <= room) {
      std::string rest = at_ == 0 ? std::move(first) : first.substr(at_);
      waiting_.pop_front();
      at_ = 0;
      return rest;
    }
    std::string part = first.substr(at_, room);
    at_ += room;
    return part;
  }

  const std::shared_ptr<rest::Exchange> exchange_;
  const Limits& limits_;
  bool begun_ = false;
  std::deque<std::string> waiting_;
  std::size_t at_ = 0;  // of the first text, what has been written
  std::size_t waiting_bytes_ = 0;
  std::size_t allowed_bytes_ = limits_.backlog_bytes_max;
  std::size_t unsent_bytes_ = 0;
};

NodeFeed::NodeFeed(boost::asio::io_context& context, Limits limits)
    : context_(context), limits_(limits), timer_(context) {}

NodeFeed::~NodeFeed() = default;

bool NodeFeed::is_wanted(const rest::Request& request) {
  if (request.method() != "GET") return false;
  for (std::size_t i = 0; i < request.header_count(); ++i) {
    if (request.header_name(i) != "accept") continue;
    auto list = request.header_value(i);
    while (!list.empty()) {
      const auto range = rest::next_list_element(list);
      const auto type = rest::trimmed(range.substr(0, range.find(';')));
      if (rest::equals_ignoring_case(type, kEventStream)) return true;
    }
  }
  return false;
}

void NodeFeed::tell(std::string_view event, std::string json) {
  if (count_ == 0) return;
  boost::asio::post(context_, [this, event = std::string(event), json = std::move(json)] {
    send_to_all(event_text(event, ++last_id_, json));
  });
}

void NodeFeed::watch(std::shared_ptr<rest::Exchange> exchange, const Snapshot& snapshot) {
  if (count_.fetch_add(1) >= limits_.watchers_max) {
    --count_;
    const auto problem = refusal("overloaded", "too many programs watch this node already");
    return exchange->respond(rest::to_response(problem, exchange->request()));
  }
  auto watcher = std::make_shared<Watcher>(std::move(exchange), limits_);
  boost::asio::post(context_, [this, watcher, snapshot] {
    if (closed_) {
      --count_;
      const auto problem = refusal("draining", "this node is shutting down");
      auto& left = watcher->exchange();
      return left.respond(rest::to_response(problem, left.request()));
    }
    add(watcher);
    snapshot([this, watcher, id = last_id_](std::string json) {
      boost::asio::post(context_, [this, watcher, id, json = std::move(json)] {
        watcher->begin("retry: " + std::to_string(limits_.retry.count()) + '\n' +
                       event_text("snapshot", id, json));
      });
    });
  });
}

void NodeFeed::add(const std::shared_ptr<Watcher>& watcher) {
  watchers_.push_back(watcher);
  if (watchers_.size() == 1) beat();
  rest::Exchange& exchange = watcher->exchange();
  exchange.begin(stream_head());
  // The exchange keeps these callbacks until it ends, and the watcher keeps the exchange.
  const std::weak_ptr<Watcher> weak = watcher;
  exchange.on_flushed([this, weak](std::size_t bytes) {
    boost::asio::post(context_, [weak, bytes] {
      if (const auto here = weak.lock()) here->flushed(bytes);
    });
  });
  exchange.on_disconnect([this, weak] {
    boost::asio::post(context_, [this, weak] {
      if (const auto here = weak.lock()) remove(here);
    });
  });
}

void NodeFeed::remove(const std::shared_ptr<Watcher>& watcher) {
  if (std::erase(watchers_, watcher) == 0) return;
  --count_;
  if (watchers_.empty()) timer_.cancel();
}

void NodeFeed::send_to_all(const std::string& text) {
  std::vector<std::shared_ptr<Watcher>> slow;
  for (const auto& watcher : watchers_) {
    if (!watcher->push(text)) slow.push_back(watcher);
  }
  for (const auto& watcher : slow) {
    watcher->exchange().abort();
    remove(watcher);
  }
}

void NodeFeed::beat() {
  timer_.expires_after(limits_.heartbeat);
  timer_.async_wait([this](boost::system::error_code ec) {
    if (ec || watchers_.empty()) return;
    send_to_all(": still here\n\n");
    beat();
  });
}

void NodeFeed::close() {
  boost::asio::post(context_, [this] {
    closed_ = true;
    for (const auto& watcher : watchers_) watcher->exchange().end();
    count_ -= watchers_.size();
    watchers_.clear();
    timer_.cancel();
  });
}

}  // namespace rp::node
