#pragma once

#include "tests/queue/test_engine.h"

namespace rp::queue {

/// One channel, `jobs`, and what most tests do to it.
class JobsChannel : public BothStores {
 protected:
  MessageId put(NewMessage message = {}) {
    if (message.body.empty()) message.body = "body";
    return engine_.put("jobs", std::move(message)).value();
  }
  /// The id of the first message taken, 0 without one. Keeps its lease.
  MessageId take(TakeOptions options = {}) {
    const auto deliveries = engine_.take("jobs", options);
    if (deliveries.empty()) return 0;
    lease_ = deliveries[0].lease;
    return deliveries[0].message.id;
  }
  Errc put_error(NewMessage message) {
    const auto id = engine_.put("jobs", std::move(message));
    return id ? Errc{} : id.error().code;
  }
  static Errc code(const Status& status) { return status ? Errc{} : status.error().code; }

  Lease lease_;
};

}  // namespace rp::queue
