#include "handlers/isolated/local_link.h"

#include <future>
#include <sys/socket.h>

#include <gtest/gtest.h>
#include <unistd.h>

#include "handlers/isolated/host_wire.h"
#include "pipe/core/frame.h"
#include "tests/handlers/recording_sink.h"

namespace rp::handlers {
namespace {

using namespace std::chrono_literals;
using pipe::Errc;

/// One end of a link, with the other one played by the test.
class LocalLinkTest : public testing::Test, private pipe::SessionOwner {
 protected:
  void start(pipe::Heartbeat heartbeat) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    peer_ = FileDescriptor(ends[1]);
    link_ = std::make_shared<LocalLink>(FileDescriptor(ends[0]), thread_);
    pipe::Session::Options options;
    options.side = pipe::Session::Side::acceptor;
    options.heartbeat = heartbeat;
    auto& owner = static_cast<pipe::SessionOwner&>(*this);
    session_.emplace(options, host_hello(), target_, thread_, owner, pipe::Clock::now());
    thread_.post([this] {
      (void)session_->attach(0, pipe::Clock::now());
      link_->start(*session_, [this](pipe::error_code why) { ended_.set_value(why); });
    });
    thread_.start();
  }
  void TearDown() override { thread_.stop(); }

  pipe::error_code how_it_ended() {
    auto ended = ended_.get_future();
    if (ended.wait_for(kPatience) != std::future_status::ready) return Errc::deadline_exceeded;
    return ended.get();
  }
  void send(std::string_view bytes) {
    EXPECT_EQ(::write(peer_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  FileDescriptor peer_;

 private:
  class NoTarget final : public pipe::EventTarget {
    std::shared_ptr<pipe::CallControl> submit(pipe::Event&&, std::string&&, const pipe::Origin&,
                                              std::shared_ptr<pipe::ReplySink>&&) override {
      ADD_FAILURE() << "nothing is called here";
      return nullptr;
    }
  };

  void session_woke() override { link_->wake(); }
  void session_draining(const pipe::Failure&) override {}
  void session_pinged() override {}
  void session_ponged(pipe::Clock::duration) override {}

  NoTarget target_;
  pipe::IoThread thread_;
  std::optional<pipe::Session> session_;
  std::shared_ptr<LocalLink> link_;
  std::promise<pipe::error_code> ended_;
};

TEST_F(LocalLinkTest, EndsWhenTheOtherSideCloses) {
  start({});
  peer_ = FileDescriptor();
  EXPECT_EQ(how_it_ended(), Errc::link_lost);
}

TEST_F(LocalLinkTest, EndsWhenTheOtherSideBreaksTheRules) {
  start({});
  send(std::string(64, '\xff'));
  const auto why = how_it_ended();
  EXPECT_TRUE(why == Errc::frame_too_large || why == Errc::malformed_frame ||
              why == Errc::unknown_frame_type)
      << why.message();
}

TEST_F(LocalLinkTest, SilenceGetsASecondLook) {
  const auto before = pipe::Clock::now();
  start({20ms, 100ms});
  EXPECT_EQ(how_it_ended(), Errc::heartbeat_missed);
  EXPECT_GE(pipe::Clock::now() - before, 2s);
}

TEST_F(LocalLinkTest, AnyByteAtTheSecondLookIsLife) {
  start({20ms, 100ms});
  std::this_thread::sleep_for(
      1s);  // silent for longer than the timeout, and within the second look
  const std::string ping = pipe::encode_ping(pipe::FrameType::ping, "12345678");
  const auto before = pipe::Clock::now();
  send(ping);
  EXPECT_EQ(how_it_ended(), Errc::heartbeat_missed);
  EXPECT_GE(pipe::Clock::now() - before, 2s) << "the doubt began anew";
}

}  // namespace
}  // namespace rp::handlers
