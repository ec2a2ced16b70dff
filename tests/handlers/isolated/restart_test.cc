#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "handlers/isolated/host_process.h"
#include "handlers/isolated/pipes_up.h"
#include "handlers/isolated/restart_pacer.h"

namespace rp::handlers {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Ge;
using testing::IsEmpty;
using testing::Le;

TEST(RestartPacerTest, PausesDoubleUpToTheCap) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    RestartPacer pacer(seed);
    auto bound = RestartPacer::kPauses.base;
    for (int i = 0; i < 20; ++i) {
      EXPECT_THAT(pacer.next(0ms), AllOf(Ge(bound / 10), Le(bound))) << "seed " << seed;
      bound = std::min(2 * bound, RestartPacer::kPauses.cap);
    }
  }
}

TEST(RestartPacerTest, AHostThatWasStableIsStartedAgainSoon) {
  RestartPacer pacer(/*seed=*/1);
  for (int i = 0; i < 10; ++i) pacer.next(RestartPacer::kStableAfter - 1ns);
  EXPECT_GT(pacer.next(0ms), RestartPacer::kPauses.base);
  EXPECT_LE(pacer.next(RestartPacer::kStableAfter), RestartPacer::kPauses.base);
}

TEST(PipesUpTest, AnIdentityHasOnePipe) {
  using Kind = StateChange::Kind;
  PipesUp pipes(Role::server);
  pipes.note({Kind::start_hook, {"a", "192.0.2.1", 1}});
  pipes.note({Kind::start_hook, {"a", "192.0.2.2", 2}});
  ASSERT_EQ(pipes.changes().size(), 2U);
  EXPECT_EQ(pipes.changes()[0].kind, Kind::connection_added);
  EXPECT_EQ(pipes.changes()[0].count, 1U);
  EXPECT_EQ(pipes.changes()[1].peer.address, "192.0.2.2");
  pipes.note({Kind::connection_removed, {"a", "192.0.2.2", 2}});
  EXPECT_EQ(pipes.size(), 1U);
  pipes.note({Kind::stop_hook, {"a", "192.0.2.2", 2}});
  EXPECT_THAT(pipes.changes(), IsEmpty());
}

TEST(ChildEndTest, NamesSignalsAndStatuses) {
  EXPECT_EQ(to_text(ChildEnd{3, 0}), "exit status 3");
  EXPECT_EQ(to_text(ChildEnd{0, 11}), "signal 11 (SIGSEGV)");
  EXPECT_EQ(to_text(ChildEnd{0, 40}), "signal 40");
}

}  // namespace
}  // namespace rp::handlers
