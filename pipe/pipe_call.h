#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "pipe/core/session.h"
#include "pipe/event.h"
#include "pipe/pipe.h"

/// How events reach a pipe from any thread; a part of Pipe.
namespace rp::pipe {

/// How targets and calls find the session, or find it gone. All but the thread is touched on the
/// pipe's thread only.
struct Pipe::Anchor {
  IoThread& thread;
  Pipe* pipe;        ///< null once it is gone
  Session& session;  ///< while there is a pipe
  const Returned returned;
  bool ending = false;  ///< session_lost now means the loss of this side's own session
};

/// One submitted event, and the one who hears its answer.
///
/// Its members but the first two are touched on the pipe's thread only.
class Pipe::Call final : public CallControl,
                         public Caller,
                         public std::enable_shared_from_this<Pipe::Call> {
 public:
  explicit Call(std::shared_ptr<Anchor> anchor) : anchor_(std::move(anchor)) {}

  void start(Event&& event, std::string&& body, std::shared_ptr<ReplySink>&& sink);

  void cancel() override;
  void consumed(std::size_t bytes) override;
  void body_data(std::string piece) override;
  void body_end() override;

  void reply(ReplyHead&& head, std::string&& body) override;
  void begin(ReplyHead&& head) override;
  void data(std::string piece) override;
  void end() override;
  void fail(Failure failure) override;
  void body_consumed(std::size_t bytes) override;
  void not_sent(Event&& event, std::string&& body) override;

 private:
  friend class Target;
  /// What it takes to make the call again.
  struct Copy {
    Event event;
    std::string body;
  };

  template <class F>
  void at_home(F f);
  Session* session() const { return anchor_->pipe ? &anchor_->session : nullptr; }
  void give_back(Event&& event, std::string&& body);

  const std::shared_ptr<Anchor> anchor_;
  std::atomic<int> posted_{0};  // of this call, on their way to the thread: they keep their order
  CallTicket ticket_;
  std::shared_ptr<ReplySink> sink_;    // until the answer is complete, given back or cancelled
  std::shared_ptr<CallControl> next_;  // the call that it became when it was given back
  std::unique_ptr<Copy> copy_;         // of a call that may be repeated, until its answer begins
  bool cancelled_ = false;
};

class Pipe::Target final : public EventTarget {
 public:
  explicit Target(std::shared_ptr<Anchor> anchor) : anchor_(std::move(anchor)) {}

  std::shared_ptr<CallControl> submit(Event&& event, std::string&& body, const Origin& origin,
                                      std::shared_ptr<ReplySink>&& sink) override;

 private:
  const std::shared_ptr<Anchor> anchor_;
};

}  // namespace rp::pipe
