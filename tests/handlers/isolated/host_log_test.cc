#include "handlers/isolated/host_log.h"

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "handlers/isolated/local_link.h"
#include "tests/handlers/recording_sink.h"

namespace rp::handlers {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::SizeIs;

std::vector<std::pair<std::string, std::string>> written;  // the fields of the last line

void remember(const LogLine& line) {
  written.clear();
  for (const auto& field : line.fields) written.emplace_back(field.key, field.value);
}

class LogFromHostTest : public testing::Test {
 protected:
  LogFromHostTest() { set_log_sink(&remember, LogLevel::info); }
  ~LogFromHostTest() override {
    set_log_sink([](const LogLine&) {}, LogLevel::off);
  }
};

TEST_F(LogFromHostTest, EveryLineNamesThePluginOnce) {
  log_from_host("p", {LogLevel::info, "plugin", "message", {}});
  EXPECT_THAT(written, ElementsAre(Pair("plugin", "p")));
  log_from_host("p", {LogLevel::error, "c", "m", {{"a", "1"}, {"plugin", "x"}, {"b", "2"}}});
  EXPECT_THAT(written, ElementsAre(Pair("plugin", "p"), Pair("a", "1"), Pair("b", "2")));
}

TEST_F(LogFromHostTest, ALineHasSoManyFieldsOnly) {
  HostLogLine line{LogLevel::info, "c", "m", {}};
  for (int i = 0; i < 100; ++i) line.fields.emplace_back("k", std::to_string(i));
  log_from_host("p", line);
  EXPECT_THAT(written, SizeIs(HostLog::kFieldsMax + 1));
}

TEST_F(LogFromHostTest, LinesBelowTheLevelAreLeftOut) {
  written.clear();
  log_from_host("p", {LogLevel::debug, "c", "m", {}});
  EXPECT_THAT(written, SizeIs(0));
}

/// One end of a session over a socket, on a thread of its own.
class End final : private pipe::EventTarget, private pipe::SessionOwner {
 public:
  End(pipe::Session::Side side, int socket)
      : link_(std::make_shared<LocalLink>(FileDescriptor(socket), thread_)),
        session_(options(side), host_hello(), static_cast<pipe::EventTarget&>(*this), thread_,
                 static_cast<pipe::SessionOwner&>(*this), pipe::Clock::now()) {
    thread_.post([this] {
      (void)session_.attach(0, pipe::Clock::now());
      link_->start(session_, [](pipe::error_code) {});
    });
    thread_.start();
  }
  ~End() override { thread_.stop(); }

  pipe::IoThread& thread() { return thread_; }
  pipe::Session& session() { return session_; }

  /// The lines that came, once there are so many.
  std::vector<HostLogLine> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return lines_.size() >= count; });
    return lines_;
  }

 private:
  class NoCall final : public pipe::CallControl {
    void cancel() override {}
    void consumed(std::size_t) override {}
  };

  static pipe::Session::Options options(pipe::Session::Side side) {
    pipe::Session::Options options;
    options.side = side;
    return options;
  }
  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin&,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    EXPECT_EQ(event.target, kHostTarget);
    EXPECT_EQ(event.noun, host_noun::log);
    const auto line = decode_log_line(body);
    EXPECT_TRUE(line) << body;
    {
      const std::lock_guard lock(mutex_);
      lines_.push_back(line.value_or(HostLogLine{}));
    }
    changed_.notify_all();
    sink->reply({}, {});
    return std::make_shared<NoCall>();
  }
  void session_woke() override { link_->wake(); }
  void session_draining(const pipe::Failure&) override {}
  void session_pinged() override {}
  void session_ponged(pipe::Clock::duration) override {}

  pipe::IoThread thread_;
  const std::shared_ptr<LocalLink> link_;
  pipe::Session session_;
  std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  std::vector<HostLogLine> lines_;
};

class HostLogTest : public testing::Test {
 protected:
  HostLogTest() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    node_.emplace(pipe::Session::Side::acceptor, ends[0]);
    host_.emplace(pipe::Session::Side::dialler, ends[1]);
    log_.emplace(host_->session(), host_->thread(), LogLevel::info);
  }
  ~HostLogTest() override {
    host_->thread().stop();
    log_.reset();
    set_log_sink([](const LogLine&) {}, LogLevel::off);
  }

  std::optional<End> node_;
  std::optional<End> host_;
  std::optional<HostLog> log_;
};

TEST_F(HostLogTest, LinesArriveInOrderWithTheirFields) {
  log(LogLevel::warning, "plugin", "first", {{"a", "x y"}, {"n", 7}});
  log(LogLevel::debug, "plugin", "below the level");
  log(LogLevel::info, "handlers", "last");
  const auto lines = node_->wait_for(2);
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0].level, LogLevel::warning);
  EXPECT_EQ(lines[0].message, "first");
  EXPECT_THAT(lines[0].fields, ElementsAre(Pair("a", "x y"), Pair("n", "7")));
  EXPECT_EQ(lines[1].component, "handlers");
}

TEST_F(HostLogTest, TheLongestLineFitsIntoAFrame) {
  const std::string worst(100'000, '\x01');  // six bytes of JSON for each
  log(LogLevel::info, "plugin", "m", {{"a", worst}, {"b", worst}});
  log(LogLevel::info, "plugin", "last");
  const auto lines = node_->wait_for(2);
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0].message, "m");
  EXPECT_LE(lines[0].fields.at(0).second.size(), HostLog::kLineBytesMax);
}

TEST_F(HostLogTest, LinesThatNobodyTakesAreCounted) {
  std::promise<void> go_on;
  host_->thread().post([stop = go_on.get_future().share()] { stop.wait(); });
  for (std::size_t i = 0; i < HostLog::kWaitingMax + 7; ++i) {
    log(LogLevel::info, "plugin", "line");
  }
  go_on.set_value();
  const auto lines = node_->wait_for(HostLog::kWaitingMax + 1);
  ASSERT_THAT(lines, SizeIs(HostLog::kWaitingMax + 1));
  const auto note = std::find_if(lines.begin(), lines.end(),
                                 [](const HostLogLine& line) { return line.message != "line"; });
  ASSERT_NE(note, lines.end());
  EXPECT_EQ(note->message, "Lines of the log were dropped");
  EXPECT_THAT(note->fields, ElementsAre(Pair("count", "7")));
}

}  // namespace
}  // namespace rp::handlers
