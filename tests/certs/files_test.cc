#include "certs/files.h"

#include <functional>
#include <sys/file.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "certs/error.h"
#include "tests/certs/scratch.h"

namespace rp::certs::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ErrorKind kind_of_failure(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorKind::internal;
}

class FilesTest : public ::testing::Test {
 protected:
  ~FilesTest() override { ::umask(umask_); }

  Scratch scratch_;
  const mode_t umask_ = ::umask(022);
};

TEST_F(FilesTest, ReadsAWholeFile) {
  const std::string text(100'000, 'x');
  write_text(scratch_ / "file", text);
  EXPECT_EQ(read_file(scratch_ / "file"), text);
}

TEST_F(FilesTest, TellsMissingFromUnreadable) {
  EXPECT_EQ(kind_of_failure([&] { read_file(scratch_ / "nothing"); }), ErrorKind::missing);
  EXPECT_EQ(kind_of_failure([&] { read_file(scratch_.directory()); }), ErrorKind::unreadable);
  EXPECT_EQ(read_optional_file(scratch_ / "nothing"), "");
}

TEST_F(FilesTest, RefusesAFileThatIsTooLargeOrAFifo) {
  write_text(scratch_ / "large", std::string(kIdentityFileBytesMax + 1, 'x'));
  EXPECT_EQ(kind_of_failure([&] { read_file(scratch_ / "large"); }), ErrorKind::unreadable);
  ASSERT_EQ(::mkfifo((scratch_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(kind_of_failure([&] { read_file(scratch_ / "fifo"); }), ErrorKind::unreadable);
}

TEST_F(FilesTest, RefusesAKeyThatOthersCanRead) {
  const fs::path key = scratch_ / "key";
  write_text(key, "secret");
  for (const unsigned mode : {0600U, 0400U}) {
    ASSERT_EQ(::chmod(key.c_str(), mode), 0);
    EXPECT_EQ(read_key_file(key), "secret");
  }
  for (const unsigned mode : {0644U, 0640U, 0604U, 0660U, 0620U, 0610U, 0601U}) {
    ASSERT_EQ(::chmod(key.c_str(), mode), 0);
    try {
      read_key_file(key);
      ADD_FAILURE() << mode;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::loose_permissions);
      EXPECT_THAT(error.what(), HasSubstr(key.string()));
      EXPECT_THAT(error.what(), HasSubstr("0600"));
    }
  }
}

TEST_F(FilesTest, RefusesAKeyOfAnotherUserUnlessTheDirectoryIsTheirs) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file to another user";
  constexpr uid_t kNobody = 65534;
  const fs::path key = scratch_ / "key";
  write_text(key, "secret");
  ASSERT_EQ(::chmod(key.c_str(), 0600), 0);
  ASSERT_EQ(::chown(key.c_str(), kNobody, kNobody), 0);
  EXPECT_EQ(kind_of_failure([&] { read_key_file(key); }), ErrorKind::loose_permissions);
  ASSERT_EQ(::chown(scratch_.directory().c_str(), kNobody, kNobody), 0);
  EXPECT_EQ(read_key_file(key), "secret");
}

TEST_F(FilesTest, MakesPrivateDirectoriesWhateverTheUmask) {
  ::umask(0777);
  make_private_directory(scratch_ / "a/b/c");
  ::umask(0);
  make_private_directory(scratch_ / "d/e");
  for (const char* made : {"a", "a/b", "a/b/c", "d", "d/e"})
    EXPECT_EQ(mode_of(scratch_ / made), 0700U) << made;
}

TEST_F(FilesTest, LeavesAnExistingDirectoryAsItIs) {
  ASSERT_EQ(::mkdir((scratch_ / "open").c_str(), 0755), 0);
  make_private_directory(scratch_ / "open");
  EXPECT_EQ(mode_of(scratch_ / "open"), 0755U);
}

TEST_F(FilesTest, ReplacesFilesWithExactModesWhateverTheUmask) {
  write_text(scratch_ / "key", "old key");
  ::umask(0777);
  replace_files({{scratch_ / "key", "new key", 0600}, {scratch_ / "crt", "new crt", 0644}});
  EXPECT_EQ(mode_of(scratch_ / "key"), 0600U);
  EXPECT_EQ(mode_of(scratch_ / "crt"), 0644U);
  EXPECT_EQ(read_text(scratch_ / "key"), "new key");
  EXPECT_EQ(read_text(scratch_ / "crt"), "new crt");
  EXPECT_THAT(names_in(scratch_.directory()), ElementsAre("crt", "key"));
}

TEST_F(FilesTest, ReplacesNothingWhenOneCannotBeStaged) {
  write_text(scratch_ / "key", "old key");
  EXPECT_EQ(kind_of_failure([&] {
              replace_files({{scratch_ / "key", "new key", 0600},
                             {scratch_ / "no-such-directory/crt", "new crt", 0644}});
            }),
            ErrorKind::write_failed);
  EXPECT_EQ(read_text(scratch_ / "key"), "old key");
  EXPECT_THAT(names_in(scratch_.directory()), ElementsAre("key"));
}

TEST_F(FilesTest, UndoesTheFirstWhenTheLastCannotBePutInPlace) {
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

TEST_F(FilesTest, ReplacesALinkInsteadOfWritingThroughIt) {
  write_text(scratch_ / "elsewhere", "precious");
  fs::create_symlink(scratch_ / "elsewhere", scratch_ / "key");
  replace_files({{scratch_ / "key", "new key", 0600}});
  EXPECT_EQ(read_text(scratch_ / "elsewhere"), "precious");
  EXPECT_FALSE(fs::is_symlink(scratch_ / "key"));
  EXPECT_EQ(read_text(scratch_ / "key"), "new key");
}

TEST_F(FilesTest, GivesWhatRootMakesToTheOwnerOfTheDirectory) {
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

TEST_F(FilesTest, LocksADirectoryUntilTheEndOfTheScope) {
  const int other = ::open(scratch_.directory().c_str(), O_RDONLY | O_DIRECTORY);
  {
    const DirectoryLock lock(scratch_.directory());
    EXPECT_NE(::flock(other, LOCK_EX | LOCK_NB), 0);
  }
  EXPECT_EQ(::flock(other, LOCK_EX | LOCK_NB), 0);
  ::close(other);
}

}  // namespace
}  // namespace rp::certs::testing
