#include "handlers/dispatcher.h"

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/handlers/recording_sink.h"

namespace rp::handlers {
namespace {

using namespace std::chrono_literals;
using pipe::Errc;

void say_hello(const Invocation&, Responder& responder) {
  responder.reply({0, "text/plain", {}}, "hello");
}

/// Lets a handler wait until the test says go.
class Gate {
 public:
  void open() { promise_.set_value(); }
  void pass() { EXPECT_EQ(future_.wait_for(kPatience), std::future_status::ready); }

 private:
  std::promise<void> promise_;
  std::shared_future<void> future_ = promise_.get_future().share();
};

class Oops : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class DispatcherTest : public testing::Test {
 protected:
  Asked get(const std::string& noun, pipe::Clock::duration timeout = {}) {
    auto event = make_event("get", noun);
    if (timeout != pipe::Clock::duration{}) event.deadline = pipe::Clock::now() + timeout;
    return ask(dispatcher_, std::move(event));
  }

  /// Waits until no handler runs any more: at the end of tests whose handlers use their locals.
  void settle() { EXPECT_EQ(dispatcher_.stop(kPatience), 0u); }

  Dispatcher dispatcher_{{.workers = 2, .queued_max = 2, .in_flight_max = 8}};
};

TEST_F(DispatcherTest, RunsTheNamedMethodInline) {
  dispatcher_.add("get", "hello", Flags::none, say_hello);
  const auto asked = get("hello");
  ASSERT_TRUE(asked->done());
  EXPECT_EQ(asked->body(), "hello");
  EXPECT_EQ(asked->head().content_type, "text/plain");
  EXPECT_EQ(dispatcher_.in_flight(), 0u);
}

TEST_F(DispatcherTest, ShowsTheHandlerAllOfTheEvent) {
  dispatcher_.add("put", "a/b", Flags::none, [](const Invocation& asked, Responder& responder) {
    EXPECT_EQ(asked.method, "put_a_b");
    EXPECT_EQ(asked.verb, "put");
    EXPECT_EQ(asked.noun, "a/b");
    EXPECT_EQ(std::vector<std::string>(asked.args.begin(), asked.args.end()),
              (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(asked.event.query, "q=1");
    EXPECT_EQ(asked.event.headers, (pipe::Headers{{"x-one", "1"}}));
    EXPECT_EQ(asked.event.content_type, "text/csv");
    EXPECT_EQ(asked.event.request_id, "req-1");
    EXPECT_EQ(asked.body, "body");
    EXPECT_EQ(asked.origin.node, "alice");
    EXPECT_EQ(asked.origin.address, "192.0.2.7");
    EXPECT_EQ(asked.origin.port, 4711);
    EXPECT_EQ(responder.time_left(), std::nullopt);
    responder.reply({}, "seen");
  });
  auto event = make_event("put", "a/b//x/y//z");
  event.query = "q=1";
  event.headers = {{"x-one", "1"}};
  event.content_type = "text/csv";
  EXPECT_EQ(ask(dispatcher_, std::move(event), "body")->body(), "seen");
}

TEST_F(DispatcherTest, AnswersForAMethodThatDoesNotExist) {
  dispatcher_.add("get", "hello", Flags::none, say_hello);
  for (const char* noun : {"nope", "", "hello/", "/hello", "Hello", "hell", "caf\xc3\xa9"}) {
    const auto asked = get(noun);
    ASSERT_TRUE(asked->done()) << noun;
    EXPECT_EQ(asked->head().code, 255u);
    EXPECT_EQ(asked->head().content_type, "text/plain");
    EXPECT_EQ(asked->body(), "");
  }
  EXPECT_EQ(ask(dispatcher_, "post", "hello")->head().code, 255u);
  EXPECT_EQ(ask(dispatcher_, "start_hook", "hello")->head().code, 255u);
}

TEST_F(DispatcherTest, TurnsAnExceptionIntoTheExceptionObject) {
  dispatcher_.add("get", "oops", Flags::none,
                  [](const Invocation&, Responder&) { throw Oops("it \"broke\""); });
  const auto asked = get("oops");
  ASSERT_TRUE(asked->done());
  EXPECT_EQ(asked->head().code, 251u);
  EXPECT_EQ(asked->head().content_type, "application/json");
  EXPECT_EQ(asked->body(),
            R"({"exception": {"message": "it \"broke\"", "traceback": "in get_oops(), )"
            R"(request req-1\n", "class": "Oops"}})");
}

TEST_F(DispatcherTest, StopsAThrownNumberToo) {
  dispatcher_.add("get", "oops", Flags::none, [](const Invocation&, Responder&) { throw 42; });
  EXPECT_NE(get("oops")->body().find("UnknownException"), std::string::npos);
}

TEST_F(DispatcherTest, AnswersForAHandlerThatDropsItsResponder) {
  dispatcher_.add("get", "nothing", Flags::none, [](const Invocation&, Responder&) {});
  const auto asked = get("nothing");
  ASSERT_TRUE(asked->done());
  EXPECT_EQ(asked->head().code, 251u);
  EXPECT_NE(asked->body().find("ended without an answer"), std::string::npos);
}

TEST_F(DispatcherTest, TakesTheFirstOfTwoAnswers) {
  dispatcher_.add("get", "twice", Flags::none, [](const Invocation&, Responder& responder) {
    EXPECT_EQ(responder.reply({}, "first"), Answer::ok);
    EXPECT_EQ(responder.reply({}, "second"), Answer::answered);
    EXPECT_EQ(responder.raise({"A", "b", "c"}), Answer::answered);
    EXPECT_EQ(responder.end(), Answer::answered);
    throw std::runtime_error("too late");
  });
  EXPECT_EQ(get("twice")->body(), "first");
}

TEST_F(DispatcherTest, RefusesAHeadThatCouldSplitAResponse) {
  dispatcher_.add("get", "type", Flags::none, [](const Invocation&, Responder& responder) {
    EXPECT_EQ(responder.reply({0, "text/plain\r\nx: y", {}}, ""), Answer::invalid);
  });
  dispatcher_.add("get", "header", Flags::none, [](const Invocation&, Responder& responder) {
    EXPECT_EQ(responder.reply({0, "", {{"x", "a\nb"}}}, ""), Answer::invalid);
  });
  EXPECT_EQ(get("type")->head().code, 251u);
  EXPECT_EQ(get("header")->head().code, 251u);
}

TEST_F(DispatcherTest, ChecksJsonBodiesBeforeTheHandlerRuns) {
  dispatcher_.add("post", "echo", Flags::none, [](const Invocation& asked, Responder& responder) {
    responder.reply({}, std::string(asked.body));
  });
  const auto post = [this](std::string type, std::string body) {
    auto event = make_event("post", "echo");
    event.content_type = std::move(type);
    return ask(dispatcher_, std::move(event), std::move(body));
  };
  EXPECT_EQ(post("application/json", "{\"a\": 1}")->body(), "{\"a\": 1}");
  EXPECT_EQ(post("application/json", "")->head().code, 0u);
  EXPECT_EQ(post("Application/JSON", "{oops")->body(), "{oops");
  EXPECT_EQ(post("text/plain", "{oops")->body(), "{oops");
  const auto bad = post("application/json", "{oops");
  EXPECT_EQ(bad->head().code, 251u);
  EXPECT_NE(bad->body().find("\"class\": \"ValueError\""), std::string::npos);
  EXPECT_EQ(post("application/json", std::string(65, '[') + std::string(65, ']'))->head().code,
            251u);
}

TEST_F(DispatcherTest, RefusesMoreArgumentsThanTheLimit) {
  dispatcher_.add("get", "hello", Flags::none, say_hello);
  std::string noun = "hello//a";
  for (int i = 0; i < 256; ++i) noun.append("/a");
  EXPECT_EQ(get(noun)->head().code, 251u);
}

TEST_F(DispatcherTest, TakesAnAnswerFromAnotherThreadLater) {
  std::promise<Responder> kept;
  dispatcher_.add("get", "later", Flags::none, [&](const Invocation&, Responder& responder) {
    kept.set_value(std::move(responder));
  });
  const auto asked = get("later");
  EXPECT_FALSE(asked->done());
  EXPECT_EQ(dispatcher_.in_flight(), 1u);
  std::thread([responder = kept.get_future().get()]() mutable {
    EXPECT_EQ(responder.invocation().method, "get_later");
    EXPECT_EQ(responder.reply({}, "now"), Answer::ok);
  }).join();
  EXPECT_EQ(asked->body(), "now");
}

TEST_F(DispatcherTest, RunsBlockingMethodsBesideTheCaller) {
  Gate gate;
  dispatcher_.add("get", "slow", Flags::blocking, [&](const Invocation&, Responder& responder) {
    gate.pass();
    responder.reply({}, "done");
  });
  const auto asked = get("slow");
  EXPECT_FALSE(asked->done());
  gate.open();
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->body(), "done");
  settle();
}

TEST_F(DispatcherTest, RefusesBlockingCallsWhenWorkersAndQueueAreFull) {
  Gate gate;
  std::atomic<int> running = 0;
  dispatcher_.add("get", "slow", Flags::blocking, [&](const Invocation&, Responder& responder) {
    ++running;
    gate.pass();
    responder.reply({}, "done");
  });
  dispatcher_.add("get", "hello", Flags::none, say_hello);
  std::vector<Asked> asked = {get("slow"), get("slow")};
  while (running != 2) std::this_thread::yield();
  asked.push_back(get("slow"));
  asked.push_back(get("slow"));
  EXPECT_EQ(get("slow")->error(), Errc::overloaded);
  EXPECT_EQ(get("hello")->body(), "hello") << "a full pool must not touch the others";
  gate.open();
  for (const auto& one : asked) {
    ASSERT_TRUE(one->wait_done());
    EXPECT_EQ(one->body(), "done");
  }
  settle();
}

TEST_F(DispatcherTest, RefusesCallsBeyondTheLimitInFlight) {
  std::vector<Responder> kept;
  dispatcher_.add("get", "later", Flags::none, [&](const Invocation&, Responder& responder) {
    kept.push_back(std::move(responder));
  });
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(get("later")->done());
  EXPECT_EQ(get("later")->error(), Errc::overloaded);
  kept.clear();
  EXPECT_FALSE(get("later")->done());
}

TEST_F(DispatcherTest, EndsACallAtItsDeadlineThoughTheHandlerHangs) {
  Gate gate;
  dispatcher_.add("get", "hang", Flags::blocking, [&](const Invocation&, Responder& responder) {
    EXPECT_LE(*responder.time_left(), 30ms);
    gate.pass();
    EXPECT_TRUE(responder.is_cancelled());
    EXPECT_EQ(responder.time_left(), 0ms);
    EXPECT_EQ(responder.reply({}, "too late"), Answer::gone);
  });
  const auto asked = get("hang", 30ms);
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->error(), Errc::deadline_exceeded);
  gate.open();
  settle();
}

TEST_F(DispatcherTest, EndsACallAtItsDeadlineThoughAnInlineHandlerHangs) {
  Gate gate;
  dispatcher_.add("get", "hang", Flags::none, [&](const Invocation&, Responder& responder) {
    gate.pass();
    EXPECT_EQ(responder.reply({}, "too late"), Answer::gone);
  });
  const auto sink = std::make_shared<RecordingSink>();
  auto event = make_event("get", "hang");
  event.deadline = pipe::Clock::now() + 30ms;
  auto submitted = std::async(std::launch::async,
                              [&] { return dispatcher_.submit(std::move(event), {}, {}, sink); });
  ASSERT_TRUE(sink->wait_done());
  EXPECT_EQ(sink->error(), Errc::deadline_exceeded);
  gate.open();
  submitted.get();
}

TEST_F(DispatcherTest, DoesNotStartAHandlerAfterTheDeadline) {
  dispatcher_.add("get", "hello", Flags::none,
                  [](const Invocation&, Responder&) { ADD_FAILURE() << "the handler ran"; });
  const auto asked = get("hello", -1ms);
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->error(), Errc::deadline_exceeded);
}

TEST_F(DispatcherTest, ExpiresADeadlineThatComesBeforeTheOneWaitedFor) {
  std::vector<Responder> kept;
  dispatcher_.add("get", "later", Flags::none, [&](const Invocation&, Responder& responder) {
    kept.push_back(std::move(responder));
  });
  const auto patient = get("later", 10min);
  const auto hasty = get("later", 20ms);
  ASSERT_TRUE(hasty->wait_done());
  EXPECT_EQ(hasty->error(), Errc::deadline_exceeded);
  EXPECT_FALSE(patient->done());
}

TEST_F(DispatcherTest, CancelFiresTheStopTokenAndSilencesTheSink) {
  std::promise<void> entered;
  std::promise<void> stopped;
  std::promise<Answer> answer;
  dispatcher_.add("get", "wait", Flags::blocking, [&](const Invocation&, Responder& responder) {
    const std::stop_callback listen(responder.stop_token(), [&] { stopped.set_value(); });
    entered.set_value();
    EXPECT_EQ(stopped.get_future().wait_for(kPatience), std::future_status::ready);
    answer.set_value(responder.reply({}, "nobody listens"));
  });
  const auto asked = get("wait");
  entered.get_future().wait();
  asked.control->cancel();
  asked.control->cancel();
  EXPECT_EQ(answer.get_future().get(), Answer::gone);
  EXPECT_FALSE(asked->done());
  EXPECT_EQ(dispatcher_.in_flight(), 0u);
  settle();
}

TEST_F(DispatcherTest, CancelOfAQueuedCallMeansThatItNeverRuns) {
  Gate gate;
  std::atomic<int> ran = 0;
  dispatcher_.add("get", "slow", Flags::blocking, [&](const Invocation&, Responder& responder) {
    ++ran;
    gate.pass();
    responder.reply({}, "");
  });
  const auto first = get("slow");
  const auto second = get("slow");
  while (ran != 2) std::this_thread::yield();
  const auto queued = get("slow");
  queued.control->cancel();
  gate.open();
  ASSERT_TRUE(first->wait_done() && second->wait_done());
  EXPECT_EQ(dispatcher_.stop(kPatience), 0u);
  EXPECT_EQ(ran, 2);
}

TEST_F(DispatcherTest, KnowsIdempotentMethods) {
  dispatcher_.add("get", "a/b", Flags::idempotent | Flags::blocking, say_hello);
  dispatcher_.add("put", "a/b", Flags::blocking, say_hello);
  EXPECT_TRUE(dispatcher_.is_idempotent("get", "a/b//x/y"));
  EXPECT_FALSE(dispatcher_.is_idempotent("put", "a/b"));
  EXPECT_FALSE(dispatcher_.is_idempotent("get", "nope"));
}

TEST_F(DispatcherTest, StopWaitsForWhatIsInFlightAndRefusesTheRest) {
  Gate gate;
  dispatcher_.add("get", "slow", Flags::blocking, [&](const Invocation&, Responder& responder) {
    gate.pass();
    responder.reply({}, "done");
  });
  const auto asked = get("slow");
  auto stopped = std::async(std::launch::async, [&] { return dispatcher_.stop(kPatience); });
  while (get("slow")->error() != Errc::draining) std::this_thread::yield();
  gate.open();
  EXPECT_EQ(stopped.get(), 0u);
  EXPECT_EQ(asked->body(), "done");
}

TEST_F(DispatcherTest, StopFailsWhatDoesNotEndAndCountsStuckHandlers) {
  Gate gate;
  std::promise<void> entered;
  std::promise<void> left;
  {
    Dispatcher dispatcher({.workers = 1});
    dispatcher.add("get", "hang", Flags::blocking, [&](const Invocation&, Responder& responder) {
      entered.set_value();
      gate.pass();
      EXPECT_EQ(responder.reply({}, ""), Answer::gone);
      left.set_value();
    });
    const auto asked = ask(dispatcher, "get", "hang");
    entered.get_future().wait();
    EXPECT_EQ(dispatcher.stop(10ms), 1u);
    EXPECT_EQ(asked->error(), Errc::stopped);
    EXPECT_EQ(dispatcher.stop(10ms), 1u);
  }
  gate.open();  // the handler returns after the dispatcher has gone
  EXPECT_EQ(left.get_future().wait_for(kPatience), std::future_status::ready);
}

TEST_F(DispatcherTest, AnswersEveryCallOnceWhenDeadlineCancelAndReplyRace) {
  Dispatcher dispatcher({.workers = 4, .queued_max = 10'000});
  std::atomic<int> replied = 0;
  dispatcher.add("get", "race", Flags::blocking, [&](const Invocation&, Responder& responder) {
    std::this_thread::yield();
    if (responder.reply({}, "x") == Answer::ok) ++replied;
  });
  int answered = 0;
  for (int i = 0; i < 500; ++i) {
    auto event = make_event("get", "race");
    event.deadline = pipe::Clock::now() + std::chrono::microseconds(i % 100);
    const auto asked = ask(dispatcher, std::move(event));
    if (i % 3 == 0) {
      asked.control->cancel();
    } else {
      ASSERT_TRUE(asked->wait_done());
      answered += asked->failure() ? 0 : 1;
    }
  }
  EXPECT_EQ(dispatcher.stop(kPatience), 0u);
  EXPECT_GE(replied, answered);
}

/// Writes down what it hears.
class RecordingObserver final : public DispatchObserver {
 public:
  void received() noexcept override { add("received"); }
  void started(std::string_view method) noexcept override { add("started " + std::string(method)); }
  void finished(std::string_view method, pipe::Clock::duration took, bool ok) noexcept override {
    EXPECT_GE(took.count(), 0);
    add("finished " + std::string(method) + (ok ? " ok" : " failed"));
  }
  void handled(pipe::Clock::duration) noexcept override { add("handled"); }

  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  void add(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }

  std::mutex mutex_;
  std::vector<std::string> lines_;
};

TEST(DispatchObserverTest, HearsTheOrderOfTheReferencesMetrics) {
  using Lines = std::vector<std::string>;
  RecordingObserver observer;
  Dispatcher dispatcher({.workers = 1}, &observer);
  dispatcher.add("get", "hello", Flags::none, say_hello);
  dispatcher.add("get", "oops", Flags::none,
                 [](const Invocation&, Responder&) { throw Oops("boom"); });
  std::vector<Responder> kept;
  dispatcher.add("get", "later", Flags::none, [&](const Invocation&, Responder& responder) {
    kept.push_back(std::move(responder));
  });
  ask(dispatcher, "get", "hello");
  EXPECT_EQ(observer.take(),
            (Lines{"received", "started get_hello", "finished get_hello ok", "handled"}));
  ask(dispatcher, "get", "oops");
  EXPECT_EQ(observer.take(),
            (Lines{"received", "started get_oops", "finished get_oops failed", "handled"}));
  ask(dispatcher, "get", "nope");
  EXPECT_EQ(observer.take(), (Lines{"received", "handled"}));
  ask(dispatcher, "get", "later").control->cancel();
  EXPECT_EQ(observer.take(),
            (Lines{"received", "started get_later", "finished get_later failed", "handled"}));
}

}  // namespace
}  // namespace rp::handlers
