#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "handlers/callback_slot.h"
#include "handlers/dispatcher.h"
#include "tests/handlers/recording_sink.h"

namespace rp::handlers {
namespace {

using namespace std::chrono_literals;
using pipe::Errc;

constexpr auto kStreaming = Flags::streaming;
constexpr auto kBlockingStream = Flags::streaming | Flags::blocking;
constexpr auto kLongWait = std::chrono::milliseconds::max();

const std::string kPiece(kPieceBytesMax, 'p');

class StreamTest : public testing::Test {
 protected:
  Asked run(Flags flags, Handler handler) {
    dispatcher_.add("get", "stream", flags, std::move(handler));
    return ask(dispatcher_, "get", "stream");
  }
  Dispatcher dispatcher_{{.workers = 2}};
};

TEST_F(StreamTest, ArrivesPieceByPieceInOrder) {
  const auto asked = run(kStreaming, [](const Invocation&, Responder& responder) {
    EXPECT_EQ(responder.begin({7, "text/plain", {{"x", "y"}}}), Answer::ok);
    EXPECT_EQ(responder.write("a"), Answer::ok);
    EXPECT_EQ(responder.write(""), Answer::ok);
    EXPECT_EQ(responder.write("bc"), Answer::ok);
    EXPECT_EQ(responder.end(), Answer::ok);
    EXPECT_EQ(responder.write("d"), Answer::answered);
  });
  ASSERT_TRUE(asked->done());
  EXPECT_EQ(asked->head().code, 7u);
  EXPECT_EQ(asked->head().content_type, "text/plain");
  EXPECT_EQ(asked->body(), "abc");
  EXPECT_EQ(asked->pieces(), 2u);
}

TEST_F(StreamTest, NeedsTheFlag) {
  const auto asked = run(Flags::none, [](const Invocation&, Responder& responder) {
    EXPECT_EQ(responder.begin({}), Answer::invalid);
  });
  EXPECT_EQ(asked->head().code, 251u);
}

TEST_F(StreamTest, RefusesStepsOutOfOrder) {
  const auto asked = run(kStreaming, [](const Invocation&, Responder& responder) {
    EXPECT_EQ(responder.write("x"), Answer::invalid);
    EXPECT_EQ(responder.end(), Answer::invalid);
    EXPECT_EQ(responder.begin({}), Answer::ok);
    EXPECT_EQ(responder.begin({}), Answer::invalid);
    EXPECT_EQ(responder.reply({}, "x"), Answer::invalid);
    EXPECT_EQ(responder.end(), Answer::ok);
  });
  EXPECT_TRUE(asked->done());
  EXPECT_EQ(asked->body(), "");
}

TEST_F(StreamTest, BreaksOffWhenTheHandlerThrowsOrDropsItMidway) {
  const auto asked = run(kStreaming, [](const Invocation&, Responder& responder) {
    responder.begin({});
    responder.write("half");
    throw std::runtime_error("boom");
  });
  EXPECT_EQ(asked->error(), Errc::handler_failed);
  EXPECT_EQ(asked->failure()->detail, "runtime_error: boom");
  dispatcher_.add("get", "dropped", kStreaming,
                  [](const Invocation&, Responder& responder) { responder.begin({}); });
  EXPECT_EQ(ask(dispatcher_, "get", "dropped")->error(), Errc::handler_failed);
}

TEST_F(StreamTest, HoldsNoMoreThanTheWindowUnconsumed) {
  const auto asked = run(kStreaming, [](const Invocation&, Responder& responder) {
    responder.begin({});
    EXPECT_EQ(responder.write(kPiece + "x"), Answer::invalid) << "too large to take without a wait";
    for (std::size_t sent = 0; sent < pipe::kStreamWindowBytes; sent += kPiece.size()) {
      EXPECT_EQ(responder.write(kPiece), Answer::ok);
    }
    EXPECT_EQ(responder.write("x"), Answer::would_block);
    EXPECT_EQ(responder.write("x", 5ms), Answer::would_block);
    responder.end();
  });
  EXPECT_EQ(asked->body().size(), pipe::kStreamWindowBytes);
}

TEST_F(StreamTest, ABlockingWriteOfAnySizeWaitsForTheConsumer) {
  constexpr std::size_t kTotal = 3 * pipe::kStreamWindowBytes + 17;
  const auto asked = run(kBlockingStream, [](const Invocation&, Responder& responder) {
    responder.begin({});
    EXPECT_EQ(responder.write(std::string(kTotal, 'x'), kLongWait), Answer::ok);
    EXPECT_EQ(responder.end(), Answer::ok);
  });
  std::size_t consumed = 0;
  while (consumed < kTotal) {
    ASSERT_TRUE(asked->wait_bytes(std::min(consumed + 1, kTotal)));
    const auto arrived = asked->body().size();
    ASSERT_LE(arrived - consumed, pipe::kStreamWindowBytes + kPieceBytesMax);
    asked.control->consumed(arrived - consumed);
    consumed = arrived;
  }
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->body().size(), kTotal);
}

TEST_F(StreamTest, CancelWakesABlockedWriter) {
  std::promise<Answer> answer;
  const auto asked = run(kBlockingStream, [&](const Invocation&, Responder& responder) {
    responder.begin({});
    answer.set_value(responder.write(std::string(2 * pipe::kStreamWindowBytes, 'x'), kLongWait));
  });
  ASSERT_TRUE(asked->wait_bytes(pipe::kStreamWindowBytes));
  asked.control->cancel();
  EXPECT_EQ(answer.get_future().get(), Answer::gone);
  EXPECT_FALSE(asked->done());
  EXPECT_EQ(dispatcher_.stop(kPatience), 0u);
}

TEST_F(StreamTest, TheDeadlineEndsAStream) {
  dispatcher_.add("get", "stream", kBlockingStream, [](const Invocation&, Responder& responder) {
    responder.begin({});
    EXPECT_EQ(responder.write(std::string(2 * pipe::kStreamWindowBytes, 'x'), kLongWait),
              Answer::gone);
  });
  auto event = make_event("get", "stream");
  event.deadline = pipe::Clock::now() + 50ms;
  const auto asked = ask(dispatcher_, std::move(event));
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->error(), Errc::deadline_exceeded);
}

TEST_F(StreamTest, TellsWhenThereIsRoomAgain) {
  std::promise<Responder> kept;
  const auto asked = run(kStreaming, [&](const Invocation&, Responder& responder) {
    responder.begin({});
    while (responder.write(kPiece) == Answer::ok) {
    }
    kept.set_value(std::move(responder));
  });
  auto responder = kept.get_future().get();
  int told = 0;
  responder.on_writable([&] { ++told; });
  asked.control->consumed(0);
  EXPECT_EQ(told, 0);
  asked.control->consumed(1);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(responder.write("x"), Answer::ok);
  asked.control->consumed(pipe::kStreamWindowBytes);
  EXPECT_EQ(told, 1) << "once for each time that it was asked for";
  responder.on_writable([&] { ++told; });
  EXPECT_EQ(told, 2) << "there is room already";
  while (responder.write(kPiece) == Answer::ok) {
  }
  responder.on_writable([&] { ++told; });
  responder.on_writable(nullptr);
  asked.control->consumed(pipe::kStreamWindowBytes);
  EXPECT_EQ(told, 2) << "it was taken back";
  responder.on_writable([&] { responder.end(); });
  EXPECT_TRUE(asked->done());
}

/// A caller that cancels from within the sink, as a front-end does when its client has left.
class CancellingSink final : public pipe::ReplySink {
 public:
  void reply(pipe::ReplyHead&&, std::string&&) override { ADD_FAILURE(); }
  void begin(pipe::ReplyHead&&) override {}
  void data(std::string) override {
    if (auto control = control_.lock()) control->cancel();
    ++pieces_;
  }
  void end() override { ADD_FAILURE(); }
  void fail(pipe::Failure) override { ADD_FAILURE(); }

  std::weak_ptr<pipe::CallControl> control_;
  int pieces_ = 0;
};

TEST_F(StreamTest, TheSinkMayCancelFromWithin) {
  std::promise<Responder> kept;
  dispatcher_.add("get", "stream", kStreaming, [&](const Invocation&, Responder& responder) {
    kept.set_value(std::move(responder));
  });
  const auto sink = std::make_shared<CancellingSink>();
  const auto control = dispatcher_.submit(make_event("get", "stream"), {}, {}, sink);
  sink->control_ = control;
  auto responder = kept.get_future().get();
  EXPECT_EQ(responder.begin({}), Answer::ok);
  EXPECT_EQ(responder.write("one"), Answer::ok);
  EXPECT_EQ(responder.write("two"), Answer::gone);
  EXPECT_EQ(responder.end(), Answer::gone);
  EXPECT_EQ(sink->pieces_, 1);
}

TEST_F(StreamTest, SurvivesDeadlinesThatFallIntoTheMiddleOfWriting) {
  dispatcher_.add("get", "stream", kBlockingStream, [](const Invocation&, Responder& responder) {
    if (responder.begin({}) != Answer::ok) return;
    while (responder.write("some bytes", kLongWait) == Answer::ok) {
    }
  });
  for (int i = 0; i < 50; ++i) {
    auto event = make_event("get", "stream");
    event.deadline = pipe::Clock::now() + std::chrono::microseconds(50 * i);
    const auto asked = ask(dispatcher_, std::move(event));
    while (!asked->done()) asked.control->consumed(pipe::kStreamWindowBytes);
    EXPECT_EQ(asked->error(), Errc::deadline_exceeded);
  }
}

TEST(CallbackSlotTest, RunsOnceAndNeverInsideItself) {
  CallbackSlot slot;
  int depth = 0;
  int ran = 0;
  std::function<void()> again = [&] {
    EXPECT_EQ(++depth, 1);
    if (++ran < 3) {
      slot.set(again);
      slot.fire();
    }
    --depth;
  };
  slot.set(again);
  slot.fire();
  slot.fire();
  EXPECT_EQ(ran, 3);
}

TEST(CallbackSlotTest, ClearWaitsForTheCallbackOnAnotherThread) {
  CallbackSlot slot;
  std::promise<void> entered;
  std::promise<void> go;
  std::atomic<bool> left = false;
  slot.set([&] {
    entered.set_value();
    go.get_future().wait();
    left = true;
  });
  std::thread other([&] { slot.fire(); });
  entered.get_future().wait();
  auto cleared = std::async(std::launch::async, [&] {
    slot.clear();
    EXPECT_TRUE(left);
  });
  go.set_value();
  cleared.get();
  other.join();
}

}  // namespace
}  // namespace rp::handlers
