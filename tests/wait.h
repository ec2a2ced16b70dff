#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

/// How the tests of every folder wait, and measure what may not take long.
namespace rp {

using namespace std::chrono_literals;
using TestClock = std::chrono::steady_clock;

/// How long a test waits for what must come. Only one that fails waits for so long; a machine that
/// is busy with something else may need a good part of it.
inline constexpr auto kPatience = 30s;

/// Asks `condition` until it holds or `timeout` has passed; says whether it held. For what another
/// process or thread does, which nothing here can be notified of.
template <class Condition>
bool eventually(TestClock::duration timeout, Condition condition) {
  const auto deadline = TestClock::now() + timeout;
  while (!condition()) {
    if (TestClock::now() >= deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

template <class Condition>
bool eventually(Condition condition) {
  return eventually(kPatience, std::move(condition));
}

/// The shortest of a few attempts, of which the first below `limit` is the last: a busy machine may
/// take its time, but not every time. `measure` says how long the thing took.
template <class Measure>
TestClock::duration quickest(TestClock::duration limit, Measure measure) {
  auto shortest = TestClock::duration::max();
  for (int attempt = 0; attempt < 5 && shortest >= limit; ++attempt) {
    shortest = std::min<TestClock::duration>(shortest, measure());
  }
  return shortest;
}

/// Asks `condition` for the whole of `duration`; false as soon as it does not hold.
template <class Condition>
bool holds_for(TestClock::duration duration, Condition condition) {
  return !eventually(duration, [&] { return !condition(); });
}

/// What a system call below `call` says at last; 0 or less is its failure. A process that was
/// stopped for a while finds a wait with a limit interrupted, and asks again.
template <class Call>
int uninterrupted(Call call) {
  for (;;) {
    errno = 0;
    const int done = call();
    if (done > 0 || errno != EINTR) return done;
  }
}

}  // namespace rp
