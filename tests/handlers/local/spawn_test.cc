#include "handlers/exec/spawn.h"

#include <array>
#include <string>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace rp::handlers {
namespace {

FileDescriptor open_null() { return FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

std::string read_all(const FileDescriptor& fd) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t n; (n = ::read(fd.get(), buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return text;
}

/// Runs a shell script by a plan.
class SpawnPlanTest : public testing::Test {
 protected:
  ~SpawnPlanTest() override {
    if (spawned_.process) kill_and_wait(spawned_.pid);
  }

  testing::AssertionResult spawn(SpawnPlan& plan, const char* script) {
    const std::array<char*, 4> arguments{const_cast<char*>("sh"), const_cast<char*>("-c"),
                                         const_cast<char*>(script), nullptr};
    auto spawned = plan.spawn("/bin/sh", arguments.data(), environ);
    if (!spawned) return testing::AssertionFailure() << spawned.error().message();
    spawned_ = std::move(*spawned);
    return testing::AssertionSuccess();
  }

  /// What the script prints until it ends.
  std::string printed(SpawnPlan& plan, const char* script) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
    const FileDescriptor ours(ends[0]);
    {
      const auto theirs = above(last_, FileDescriptor(ends[1]));
      plan.give(theirs, STDOUT_FILENO);
      EXPECT_TRUE(spawn(plan, script));
    }
    return read_all(ours);
  }

  const int last_ = STDERR_FILENO + 1;
  SpawnedProcess spawned_;
};

TEST_F(SpawnPlanTest, TheChildHasTheDescriptorsThatItIsGivenAndNoOther) {
  const auto inherited = FileDescriptor(::open("/dev/null", O_RDONLY));  // no O_CLOEXEC
  const auto given = above(last_, open_null());
  SpawnPlan plan(last_);
  plan.give_no_input();
  plan.give(given, last_);
  EXPECT_EQ(printed(plan, "readlink /proc/$$/fd/0; ls /proc/$$/fd"), "/dev/null\n0\n1\n2\n3\n");
}

TEST_F(SpawnPlanTest, TheChildLeadsAGroupInItsDirectoryWithDefaultSignals) {
  const auto before = ::signal(SIGUSR1, SIG_IGN);
  SpawnPlan plan(last_);
  plan.start_in("/usr");
  const auto text = printed(plan, "pwd; cut -d' ' -f5 /proc/$$/stat; kill -USR1 $$; echo ignored");
  ::signal(SIGUSR1, before);
  EXPECT_EQ(text, "/usr\n" + std::to_string(spawned_.pid) + "\n");
}

TEST_F(SpawnPlanTest, WhatCannotRunIsAnError) {
  SpawnPlan plan(last_);
  std::array<char*, 1> none{nullptr};
  const auto spawned = plan.spawn("/nonexistent/executable", none.data(), none.data());
  ASSERT_FALSE(spawned);
  EXPECT_EQ(spawned.error(), boost::system::errc::no_such_file_or_directory);
}

TEST_F(SpawnPlanTest, KillAndWaitEndsTheWholeGroup) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const FileDescriptor ours(ends[0]);
  {
    const auto theirs = above(last_, FileDescriptor(ends[1]));
    SpawnPlan plan(last_);
    plan.give(theirs, STDOUT_FILENO);
    ASSERT_TRUE(spawn(plan, "sleep 600 & wait"));
  }
  spawned_.process = FileDescriptor();
  kill_and_wait(spawned_.pid);
  EXPECT_EQ(read_all(ours), "") << "it ends when nobody of the group holds the other end";
  EXPECT_EQ(::kill(spawned_.pid, 0), -1);
}

TEST(AboveTest, ADescriptorMovesOnlyWhenItIsTooLow) {
  auto fd = open_null();
  const int number = fd.get();
  fd = above(number - 1, std::move(fd));
  EXPECT_EQ(fd.get(), number);
  fd = above(number, std::move(fd));
  EXPECT_GT(fd.get(), number);
  EXPECT_EQ(fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_FALSE(above(number, FileDescriptor()));
}

}  // namespace
}  // namespace rp::handlers
