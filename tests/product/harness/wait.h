#pragma once

#include <chrono>
#include <thread>

namespace rp::product {

using namespace std::chrono_literals;
using TestClock = std::chrono::steady_clock;

/// Asks `condition` until it holds or `timeout` has passed; says whether it held. For what another
/// process does, which nothing here can be notified of.
template <class Condition>
bool eventually(TestClock::duration timeout, Condition condition) {
  const auto deadline = TestClock::now() + timeout;
  while (!condition()) {
    if (TestClock::now() >= deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

/// Asks `condition` for the whole of `duration`; false as soon as it does not hold.
template <class Condition>
bool holds_for(TestClock::duration duration, Condition condition) {
  return !eventually(duration, [&] { return !condition(); });
}

}  // namespace rp::product
