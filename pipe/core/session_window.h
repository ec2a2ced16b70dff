#pragma once

#include <cstddef>

#include "pipe/core/control.h"
#include "pipe/core/flow.h"
#include "pipe/core/outbox.h"

namespace rp::pipe {

/// The receive window that all bodies of a session share, in both directions.
class SessionWindow {
 public:
  SessionWindow(std::uint32_t bytes, Outbox& outbox) : window_(bytes), outbox_(outbox) {}

  /// False if the peer overran the credit it was given.
  [[nodiscard]] bool take(std::size_t bytes) { return window_.take(bytes); }

  /// Sends credit when enough has come together.
  void give_back(std::size_t bytes) {
    if (const std::uint32_t credit = window_.give_back(bytes)) {
      outbox_.push_control(encode_credit(0, 0, credit));
    }
  }

 private:
  ReceiveWindow window_;
  Outbox& outbox_;
};

}  // namespace rp::pipe
