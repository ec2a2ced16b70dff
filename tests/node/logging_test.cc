#include "node/logging.h"

#include <csignal>
#include <thread>

#include <boost/json.hpp>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

namespace rp::node {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

const std::chrono::system_clock::time_point kAt{milliseconds(1'795'219'200'007)};

TEST(LogFormatTest, TextIsOneReadableLine) {
  EXPECT_EQ(
      text_line({LogLevel::info, "pipe", "Link is up", {{"peer", "alpha"}, {"calls", 3}}}, kAt),
      "2026-11-21T00:00:00.007Z INFO pipe: Link is up peer=alpha calls=3");
}

// Threat T24: a noun with CR LF, ESC and quotes.
TEST(LogFormatTest, AFieldCannotMakeALineOrAField) {
  const std::string text =
      text_line({LogLevel::error, "rest", "Refused", {{"noun", "x\r\n\x1b[1mERROR a=\"b\""}}}, kAt);
  EXPECT_THAT(text, HasSubstr("noun=\"x\\x0d\\x0a\\x1b[1mERROR a=\\\"b\\\"\""));
  EXPECT_EQ(text.find_first_of("\r\n\x1b"), text.npos);
}

TEST(LogFormatTest, JsonIsOneObjectWithTheFields) {
  const std::string text = json_line(
      {LogLevel::warning, "rest", "Refused", {{"noun", "x\r\n\"\xff"}, {"message", "m"}}}, kAt);
  const auto object = boost::json::parse(text).as_object();
  EXPECT_EQ(object.at("time").as_string(), "2026-11-21T00:00:00.007Z");
  EXPECT_EQ(object.at("level").as_string(), "warning");
  EXPECT_EQ(object.at("component").as_string(), "rest");
  EXPECT_EQ(object.at("message").as_string(), "Refused");
  EXPECT_EQ(object.at("noun").as_string(), "x\r\n\"\xef\xbf\xbd");
  EXPECT_EQ(object.at("_message").as_string(), "m");
}

TEST(LogFormatTest, HugeFieldsAreCut) {
  const std::string huge(100'000, 'a');
  EXPECT_LT(text_line({LogLevel::info, "a", "b", {{"c", huge}}}, kAt).size(), 5'000U);
  EXPECT_LT(json_line({LogLevel::info, "a", "b", {{"c", huge}}}, kAt).size(), 5'000U);
}

/// A pipe whose reading end the test holds.
class LogWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    reader_ = ends[0];
    writer_ = ends[1];
    ASSERT_EQ(::fcntl(reader_, F_SETFL, O_NONBLOCK), 0);
  }
  void TearDown() override {
    close_reader();
    ::close(writer_);
    set_log_level(LogLevel::warning);
  }

  void close_reader() {
    if (reader_ >= 0) ::close(std::exchange(reader_, -1));
  }

  /// What arrives until `text` is among it, or for at most 10 s.
  std::string read_until(const std::string& text) {
    std::string all;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (all.find(text) == all.npos && std::chrono::steady_clock::now() < deadline) {
      pollfd ready{reader_, POLLIN, 0};
      ::poll(&ready, 1, 100);
      all += read_available();
    }
    return all;
  }

  std::string read_available() {
    std::string all;
    char buffer[65'536];
    for (ssize_t n; (n = ::read(reader_, buffer, sizeof buffer)) > 0;) {
      all.append(buffer, static_cast<std::size_t>(n));
    }
    return all;
  }

  int reader_ = -1;
  int writer_ = -1;
};

TEST_F(LogWriterTest, WritesWhatIsAtOrAboveTheLevel) {
  {
    const LogWriter writer(LogFormat::text, LogLevel::info, writer_);
    log(LogLevel::debug, "test", "Hidden");
    log(LogLevel::info, "test", "Shown", {{"n", 1}});
    set_log_level(LogLevel::error);
    log(LogLevel::warning, "test", "Hidden too");
  }
  const std::string text = read_available();
  EXPECT_THAT(text, HasSubstr("INFO test: Shown n=1\n"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST_F(LogWriterTest, FlushWaitsUntilAllIsOut) {
  LogWriter writer(LogFormat::text, LogLevel::info, writer_);
  for (int i = 0; i < 100; ++i) log(LogLevel::info, "test", "Line", {{"i", i}});
  writer.flush();
  EXPECT_THAT(read_available(), HasSubstr(" i=99\n"));
}

TEST_F(LogWriterTest, LinesOfManyThreadsStayWhole) {
  constexpr int kThreads = 4;
  constexpr int kLines = 500;
  std::string text;
  {
    const LogWriter writer(LogFormat::json, LogLevel::info, writer_);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < kLines; ++i) log(LogLevel::info, "test", "Line", {{"i", i}});
      });
    }
    for (std::thread& thread : threads) thread.join();
    log(LogLevel::info, "test", "The last");
    text = read_until("The last");
    EXPECT_EQ(writer.dropped(), 0U);
  }
  text += read_available();
  std::istringstream lines(text);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    boost::system::error_code ec;
    boost::json::parse(line, ec);
    ASSERT_FALSE(ec) << line;
  }
  EXPECT_EQ(count, kThreads * kLines + 1);
}

TEST_F(LogWriterTest, AReaderThatStopsStallsNobodyAndTheLossIsReported) {
  std::string text;
  const std::string filler(1'000, 'x');
  const auto start = std::chrono::steady_clock::now();
  {
    const LogWriter writer(LogFormat::text, LogLevel::info, writer_);
    for (std::size_t i = 0; i < 2 * LogWriter::kQueueBytesMax / filler.size(); ++i) {
      log(LogLevel::info, "test", "Flood", {{"x", filler}});
    }
    EXPECT_GT(writer.dropped(), 0U);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
    text = read_until("Lines were lost");
  }
  EXPECT_THAT(text,
              HasSubstr("WARNING log: Lines were lost because the log did not keep up lines="));
}

TEST_F(LogWriterTest, EndsInTimeThoughNobodyReads) {
  const std::string filler(3'000, 'x');
  auto writer = std::make_unique<LogWriter>(LogFormat::text, LogLevel::info, writer_);
  for (int i = 0; i < 100; ++i) log(LogLevel::info, "test", "Stuck", {{"x", filler}});
  const auto start = std::chrono::steady_clock::now();
  writer.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, LogWriter::kFlushWait + milliseconds(10'000));
}

TEST_F(LogWriterTest, SurvivesADescriptorThatFails) {
  std::signal(SIGPIPE, SIG_IGN);  // as node::Signals does
  close_reader();
  const LogWriter broken(LogFormat::text, LogLevel::info, writer_);
  log(LogLevel::info, "test", "Into the void");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (broken.dropped() == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(broken.dropped(), 1U);
}

TEST(LogWriterFullDiskTest, AFullPartitionLosesLinesAndNothingElse) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (full < 0) GTEST_SKIP() << "/dev/full is not available";
  {
    const LogWriter writer(LogFormat::text, LogLevel::info, full);
    log(LogLevel::info, "test", "No room");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (writer.dropped() == 0 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    EXPECT_EQ(writer.dropped(), 1U);
  }
  ::close(full);
  set_log_level(LogLevel::warning);
}

}  // namespace
}  // namespace rp::node
