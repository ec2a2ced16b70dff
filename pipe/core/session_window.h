#pragma once

#include <cstddef>

#include "pipe/core/control.h"
#include "pipe/core/flow.h"
#include "pipe/core/outbox.h"

namespace rp::pipe {

/// The receive window that all bodies of a session share, in both directions.
class SessionWindow {
 public:
  SessionWindow(std::uint32_t bytes, Outbox& outbox)
      : bytes_(bytes), window_(bytes), outbox_(outbox) {}

  /// False if the peer overran the credit it was given.
  [[nodiscard]] bool take(std::size_t bytes) {
    held_ += bytes;
    return window_.take(bytes);
  }

  /// Whether the window of one body may take more of this one: while it is mostly free.
  bool has_room() const { return held_ < bytes_ / 4; }

  /// Sends credit when enough has come together.
  void give_back(std::size_t bytes) {
    held_ -= bytes;
    if (const std::uint32_t credit = window_.give_back(bytes)) {
      outbox_.push_control(encode_credit(0, 0, credit));
    }
  }

 private:
  const std::size_t bytes_;
  std::size_t held_ = 0;  // received and not yet consumed
  ReceiveWindow window_;
  Outbox& outbox_;
};

}  // namespace rp::pipe
