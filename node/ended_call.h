#pragma once

#include <cstddef>
#include <memory>

#include "pipe/event.h"

namespace rp::node {

/// The control of a call that was answered before submit() returned: there is nothing to steer.
inline std::shared_ptr<pipe::CallControl> ended_call() {
  class Ended final : public pipe::CallControl {
   public:
    void cancel() override {}
    void consumed(std::size_t) override {}
  };
  static const auto ended = std::make_shared<Ended>();
  return ended;
}

}  // namespace rp::node
