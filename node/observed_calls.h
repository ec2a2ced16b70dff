#pragma once

#include <memory>
#include <string>

#include "handlers/dispatcher.h"
#include "node/instruments.h"
#include "pipe/event.h"

/// The node's own eyes on what passes: metrics, and log lines that name the request on both nodes.
namespace rp::node {

/// A target for events that this node sends to a peer: counts each call and times its reply.
class ObservedPeer final : public pipe::EventTarget {
 public:
  /// Both outlive this object and its calls.
  ObservedPeer(pipe::EventTarget& peer, Instruments& instruments)
      : peer_(peer), instruments_(instruments) {}

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override;

 private:
  pipe::EventTarget& peer_;
  Instruments& instruments_;
};

/// The local handlers as peers reach them: logs who asks for what, when debug lines are on.
class LoggedHandlers final : public pipe::EventTarget {
 public:
  /// `handlers` outlives this object.
  explicit LoggedHandlers(pipe::EventTarget& handlers) : handlers_(handlers) {}

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override;

 private:
  pipe::EventTarget& handlers_;
};

/// Passes what the dispatcher tells to the instruments.
class InstrumentedDispatch final : public handlers::DispatchObserver {
 public:
  explicit InstrumentedDispatch(Instruments& instruments) : instruments_(instruments) {}

  void received() noexcept override { instruments_.message_received(); }
  void started(std::string_view method) noexcept override { instruments_.handler_started(method); }
  void finished(std::string_view method, pipe::Clock::duration took, bool ok) noexcept override {
    instruments_.handler_finished(method, took, ok);
  }
  void handled(pipe::Clock::duration took) noexcept override { instruments_.message_handled(took); }

 private:
  Instruments& instruments_;
};

}  // namespace rp::node
