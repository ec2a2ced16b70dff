#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pipe/event.h"

namespace rp::handlers {

/// One call of a target whose calls live on an I/O thread: exec, files, proxy.
///
/// Takes what the caller does, on whatever thread, to that thread, and keeps the books there: of
/// the request's body what has come and is not used yet, of the reply what the caller has not
/// consumed, and the deadline. Derived classes run on the thread alone, and keep themselves alive
/// with shared_from_this() while an operation is under way. The context outlives every call.
class LocalCall : public pipe::CallControl, public std::enable_shared_from_this<LocalCall> {
 public:
  LocalCall(boost::asio::io_context& context, pipe::Event event, std::string body,
            pipe::Origin origin, std::shared_ptr<pipe::ReplySink> sink);

  /// Runs on_start() on the thread. From submit(), once.
  void launch();

  void cancel() final;
  void consumed(std::size_t bytes) final;
  void body_data(std::string piece) final;
  void body_end() final;

 protected:
  virtual void on_start() = 0;
  /// More of the request's body may be used than before, or it has ended.
  virtual void on_body() {}
  /// There is room() again, after it was 0.
  virtual void on_room() {}
  /// The call is over: answered, cancelled or out of time. Called once; lets go of everything.
  virtual void on_over() = 0;

  const pipe::Event& event() const noexcept { return event_; }
  const pipe::Origin& origin() const noexcept { return origin_; }
  boost::asio::io_context& context() const noexcept { return context_; }
  bool over() const noexcept { return sink_ == nullptr; }

  /// What has come of the request's body, without a gap; empty when more must be waited for.
  std::string_view body() const noexcept;
  /// Nothing comes behind what body() shows.
  bool body_complete() const noexcept { return body_ended_ && pieces_.size() <= 1; }
  void use_body(std::size_t bytes);

  /// Bytes that a begun reply may be given now. What a whole reply() or the first write() holds
  /// beyond it, at most 64 KiB, is the caller's to bear.
  std::size_t room() const noexcept;

  // The answer, in the order that ReplySink asks for. Ignored once the call is over.
  void reply(pipe::ReplyHead&& head, std::string&& body);
  void begin(pipe::ReplyHead&& head);
  void write(std::string piece);
  void end();
  void fail(pipe::Errc code, std::string detail);

 private:
  template <class Work>
  void on_thread(Work work);
  void watch_deadline();
  std::shared_ptr<pipe::ReplySink> take_sink();
  void leave();

  boost::asio::io_context& context_;
  const pipe::Event event_;
  const pipe::Origin origin_;
  std::shared_ptr<pipe::ReplySink> sink_;  // null once the call is over
  boost::asio::steady_timer deadline_;

  std::deque<std::string> pieces_;  // of the request's body
  std::size_t used_bytes_ = 0;      // of the first of them
  bool body_ended_;
  std::size_t unconsumed_bytes_ = 0;  // of the reply, in the caller's hands
};

}  // namespace rp::handlers
