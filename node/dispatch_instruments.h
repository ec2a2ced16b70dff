#pragma once

#include "handlers/dispatcher.h"
#include "node/instruments.h"

namespace rp::node {

/// Hands what the dispatcher observes to the instruments.
class DispatchInstruments final : public handlers::DispatchObserver {
 public:
  explicit DispatchInstruments(Instruments& instruments) : instruments_(instruments) {}

  void received() noexcept override { instruments_.message_received(); }
  void started(std::string_view method) noexcept override { instruments_.handler_started(method); }
  void finished(std::string_view method, pipe::Clock::duration took, bool ok) noexcept override {
    instruments_.handler_finished(method, took, ok);
  }
  void handled(pipe::Clock::duration took) noexcept override { instruments_.message_handled(took); }

 private:
  Instruments& instruments_;  // outlives the dispatcher
};

}  // namespace rp::node
