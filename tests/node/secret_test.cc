#include "node/secret.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/exit_codes.h"
#include "tests/node/temporary_directory.h"

namespace rp::node {
namespace {

using testing::HasSubstr;

constexpr const char* kToken = "0123456789abcdef";

class SecretTest : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& text, mode_t mode) {
    const auto path = directory_.write("token", text);
    ::chmod(path.c_str(), mode);
    return path;
  }

  std::string refusal(const std::filesystem::path& path) {
    try {
      read_secret(path);
    } catch (const StartupError& error) {
      EXPECT_EQ(error.code(), ExitCode::configuration);
      EXPECT_THAT(error.what(), HasSubstr(path.string()));
      return error.what();
    }
    return "";
  }

  TemporaryDirectory directory_;
};

TEST_F(SecretTest, ReadsOneLineWithoutItsBreak) {
  EXPECT_EQ(read_secret(file(kToken, 0600)), kToken);
  EXPECT_EQ(read_secret(file(std::string(kToken) + "\n", 0400)), kToken);
  EXPECT_EQ(read_secret(file(std::string(kToken) + "\r\n", 0600)), kToken);
  EXPECT_EQ(read_secret(file(std::string(4096, 'a'), 0600)).size(), 4096U);
}

TEST_F(SecretTest, RefusesAFileThatOthersCanReadOrWrite) {
  for (const mode_t mode : {0604, 0602, 0620, 0644, 0666}) {
    EXPECT_THAT(refusal(file(kToken, mode)), HasSubstr("is open to other users")) << mode;
  }
}

TEST_F(SecretTest, RefusesWhatIsNoToken) {
  for (const std::string& text :
       {std::string(), std::string("short"), std::string(kToken) + "\nsecond line",
        std::string("0123456789 abcdef"), std::string(4097, 'a'),
        std::string("0123456789abcde\xff"), std::string("\x01") + kToken}) {
    const std::string line = refusal(file(text, 0600));
    EXPECT_THAT(line, HasSubstr("accepted: one line of 16 to 4096")) << text;
    if (text.size() > 4) {
      EXPECT_EQ(line.find(text.substr(0, 5)), line.npos) << "the secret is told";
    }
  }
}

TEST_F(SecretTest, RefusesWhatIsNoFile) {
  EXPECT_THAT(refusal(directory_.path()), HasSubstr("is not a regular file"));
  EXPECT_THAT(refusal(directory_.path() / "missing"), HasSubstr("No such file"));
  const auto fifo = directory_.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(refusal(fifo), HasSubstr("is not a regular file"));
}

TEST(CoreDumpTest, AreOffOnceAskedFor) {
  disable_core_dumps();
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_CORE, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, 0U);
  EXPECT_EQ(limit.rlim_max, 0U);
}

}  // namespace
}  // namespace rp::node
