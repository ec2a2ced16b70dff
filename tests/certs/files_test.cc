#include "certs/files.h"

#include <functional>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "certs/error.h"
#include "tests/certs/scratch.h"

namespace rp::certs::testing {
namespace {

namespace fs = std::filesystem;
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
  Scratch scratch_;
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

}  // namespace
}  // namespace rp::certs::testing
