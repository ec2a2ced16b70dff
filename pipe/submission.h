#pragma once

#include <memory>
#include <string>
#include <utility>

#include "pipe/event.h"

namespace rp::pipe {

/// An event on its way to the I/O thread of the one who takes it, as a task of that thread:
/// `start(event, body, sink)` is called there. A thread that has stopped destroys the task instead
/// of running it, and then the one who waits hears so.
template <class Start>
class Submission {
 public:
  Submission(Start start, Event&& event, std::string&& body, std::shared_ptr<ReplySink>&& sink)
      : start_(std::move(start)),
        event_(std::move(event)),
        body_(std::move(body)),
        sink_(std::move(sink)) {}
  Submission(Submission&&) noexcept = default;
  Submission& operator=(Submission&&) = delete;
  ~Submission() {
    if (sink_) sink_->fail({Errc::stopped, "this node is shutting down; the handler has not run"});
  }

  void operator()() { start_(std::move(event_), std::move(body_), std::exchange(sink_, nullptr)); }

 private:
  Start start_;
  Event event_;
  std::string body_;
  std::shared_ptr<ReplySink> sink_;
};

}  // namespace rp::pipe
