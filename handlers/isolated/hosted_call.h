#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "pipe/core/session.h"
#include "pipe/event.h"

namespace rp::handlers {

class IsolatedPlugin;

/// One event for an isolated plugin, from whatever thread, and the one who hears its answer.
///
/// Its members but the first two are touched on the plugin's thread only.
class HostedCall final : public pipe::CallControl,
                         public pipe::Caller,
                         public std::enable_shared_from_this<HostedCall> {
 public:
  explicit HostedCall(std::shared_ptr<IsolatedPlugin> plugin);
  ~HostedCall() override;

  /// Begins it, here or on the plugin's thread.
  void submit(pipe::Event&& event, std::string&& body, std::shared_ptr<pipe::ReplySink>&& sink);

  /// Hands the event to the session; false when that takes no calls now, and the call is to wait.
  bool send(pipe::Session& session, pipe::Clock::time_point now);
  /// Nobody hears its answer any more.
  bool is_over() const { return sink_ == nullptr; }

  void cancel() override;
  void consumed(std::size_t bytes) override;
  void body_data(std::string piece) override;
  void body_end() override;

  void reply(pipe::ReplyHead&& head, std::string&& body) override;
  void begin(pipe::ReplyHead&& head) override;
  void data(std::string piece) override;
  void end() override;
  void fail(pipe::Failure failure) override;
  void body_consumed(std::size_t bytes) override;
  void not_sent(pipe::Event&& event, std::string&& body) override;

 private:
  void start(pipe::Event&& event, std::string&& body, std::shared_ptr<pipe::ReplySink>&& sink);
  template <class F>
  void at_home(F f);
  pipe::Session* session() const;

  const std::shared_ptr<IsolatedPlugin> plugin_;
  std::atomic<int> posted_{0};  // of this call, on their way to the thread: they keep their order
  std::shared_ptr<pipe::ReplySink> sink_;  // until the answer is complete or cancelled
  bool cancelled_ = false;

  pipe::CallTicket ticket_;  // once it is sent
  bool sent_ = false;
  pipe::Event event_;  // until then, with what has come of its body
  std::string body_;
};

}  // namespace rp::handlers
