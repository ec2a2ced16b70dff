#include "certs/replace.h"

#include <functional>
#include <random>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "certs/error.h"
#include "certs/files.h"
#include "tests/certs/scratch.h"

namespace rp::certs::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

ErrorKind kind_of_failure(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorKind::internal;
}

class ReplaceTest : public ::testing::Test {
 protected:
  ~ReplaceTest() override { ::umask(umask_); }

  std::vector<NewFile> set_of(const std::string& text) const {
    return {{scratch_ / "key", text, 0600},
            {scratch_ / "crt", text, 0644},
            {scratch_ / "ca", text, 0644}};
  }

  std::string settled_text(const std::string& name) const {
    return read_file(settled(scratch_ / name));
  }

  Scratch scratch_;
  const mode_t umask_ = ::umask(022);
};

TEST_F(ReplaceTest, MakesPrivateDirectoriesWhateverTheUmask) {
  ::umask(0777);
  make_private_directory(scratch_ / "a/b/c");
  ::umask(0);
  make_private_directory(scratch_ / "d/e");
  for (const char* made : {"a", "a/b", "a/b/c", "d", "d/e"})
    EXPECT_EQ(mode_of(scratch_ / made), 0700U) << made;
}

TEST_F(ReplaceTest, LeavesAnExistingDirectoryAsItIs) {
  ASSERT_EQ(::mkdir((scratch_ / "open").c_str(), 0755), 0);
  make_private_directory(scratch_ / "open");
  EXPECT_EQ(mode_of(scratch_ / "open"), 0755U);
}

TEST_F(ReplaceTest, ReplacesFilesWithExactModesWhateverTheUmask) {
  write_text(scratch_ / "key", "old key");
  ::umask(0777);
  replace_files({{scratch_ / "key", "new key", 0600}, {scratch_ / "crt", "new crt", 0644}});
  EXPECT_EQ(mode_of(scratch_ / "key"), 0600U);
  EXPECT_EQ(mode_of(scratch_ / "crt"), 0644U);
  EXPECT_EQ(read_text(scratch_ / "key"), "new key");
  EXPECT_EQ(read_text(scratch_ / "crt"), "new crt");
  EXPECT_THAT(names_in(scratch_.directory()), ElementsAre("crt", "key"));
}

TEST_F(ReplaceTest, ReplacesNothingWhenOneCannotBeStaged) {
  write_text(scratch_ / "key", "old key");
  EXPECT_EQ(kind_of_failure([&] {
              replace_files({{scratch_ / "key", "new key", 0600},
                             {scratch_ / "no-such-directory/crt", "new crt", 0644}});
            }),
            ErrorKind::write_failed);
  EXPECT_EQ(read_text(scratch_ / "key"), "old key");
  EXPECT_THAT(names_in(scratch_.directory()), ElementsAre("key"));
}

TEST_F(ReplaceTest, UndoesTheFirstWhenTheLastCannotBePutInPlace) {
  write_text(scratch_ / "key", "old key");
  ASSERT_EQ(::mkdir((scratch_ / "crt").c_str(), 0700), 0);  // a file cannot replace a directory
  EXPECT_EQ(kind_of_failure([&] {
              replace_files({{scratch_ / "key", "new key", 0600},
                             {scratch_ / "fresh", "did not exist", 0600},
                             {scratch_ / "crt", "new crt", 0644}});
            }),
            ErrorKind::write_failed);
  EXPECT_EQ(read_text(scratch_ / "key"), "old key");
  EXPECT_THAT(names_in(scratch_.directory()), ElementsAre("crt", "key"));
}

TEST_F(ReplaceTest, ReplacesALinkInsteadOfWritingThroughIt) {
  write_text(scratch_ / "elsewhere", "precious");
  fs::create_symlink(scratch_ / "elsewhere", scratch_ / "key");
  replace_files({{scratch_ / "key", "new key", 0600}});
  EXPECT_EQ(read_text(scratch_ / "elsewhere"), "precious");
  EXPECT_FALSE(fs::is_symlink(scratch_ / "key"));
  EXPECT_EQ(read_text(scratch_ / "key"), "new key");
}

TEST_F(ReplaceTest, GivesWhatRootMakesToTheOwnerOfTheDirectory) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can own for others";
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(::mkdir((scratch_ / "service").c_str(), 0700), 0);
  ASSERT_EQ(::chown((scratch_ / "service").c_str(), kNobody, kNobody), 0);
  replace_files({{scratch_ / "service/key", "new key", 0600}});
  struct stat status {};
  ASSERT_EQ(::stat((scratch_ / "service/key").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, kNobody);
  EXPECT_EQ(status.st_gid, kNobody);
}

TEST_F(ReplaceTest, LocksADirectoryUntilTheEndOfTheScope) {
  const int other = ::open(scratch_.directory().c_str(), O_RDONLY | O_DIRECTORY);
  {
    const DirectoryLock lock(scratch_.directory());
    EXPECT_NE(::flock(other, LOCK_EX | LOCK_NB), 0);
  }
  EXPECT_EQ(::flock(other, LOCK_EX | LOCK_NB), 0);
  ::close(other);
}

// What a run that was killed between two renames leaves behind.
TEST_F(ReplaceTest, UntilTheEndTheOldFilesAreThoseThatCount) {
  replace_files(set_of("old"));
  ASSERT_EQ(::mkdir((scratch_ / ".previous").c_str(), 0700), 0);
  for (const char* name : {"key", "crt", "ca"})
    fs::create_hard_link(scratch_ / name, scratch_ / ".previous" / name);
  write_text(scratch_ / ".key.new", "new");
  fs::rename(scratch_ / ".key.new", scratch_ / "key");

  EXPECT_EQ(read_text(scratch_ / "key"), "new");
  for (const char* name : {"key", "crt", "ca"}) EXPECT_EQ(settled_text(name), "old") << name;

  // Whoever comes next puts it back first.
  replace_files({{scratch_ / "crl", "list", 0644}});
  EXPECT_EQ(read_text(scratch_ / "key"), "old");
  EXPECT_THAT(names_in(scratch_.directory()), ElementsAre("ca", "crl", "crt", "key"));
}

TEST_F(ReplaceTest, LeavesNoMixedSetWheneverItIsKilled) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  replace_files(set_of("a"));
  for (int round = 0; round < 60; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) {
        replace_files(set_of("b"));
        replace_files(set_of("a"));
      }
    }
    ::usleep(static_cast<useconds_t>(random() % 3'000));
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    const std::string key = settled_text("key");
    EXPECT_TRUE(key == "a" || key == "b") << key;
    EXPECT_EQ(settled_text("crt"), key);
    EXPECT_EQ(settled_text("ca"), key);
  }
  replace_files(set_of("end"));
  EXPECT_THAT(names_in(scratch_.directory()), ElementsAre("ca", "crt", "key"));
}

}  // namespace
}  // namespace rp::certs::testing
