// Plugins against the host: the corners of the SDK, and a plugin in C that breaks every rule.
#include <string>

#include <gtest/gtest.h>

#include "tests/handlers/plugins.h"

namespace rp::handlers {
namespace {

using namespace std::chrono_literals;

class SdkTest : public PluginFixture {
 protected:
  void SetUp() override { load("sdk_plugin", Role::client); }
};

TEST_F(SdkTest, KnowsItsNode) {
  EXPECT_EQ(get("role")->body(), "client");
  EXPECT_EQ(get("node")->body(), "node-7");
}

TEST_F(SdkTest, ConvertsArguments) {
  EXPECT_EQ(get("typed//-3/2.5/x/y")->body(), "-3|2.5|x|y");
  EXPECT_EQ(exception_class(get("typed//3x/2.5/x/y")), "ValueError");
  EXPECT_EQ(exception_class(get("typed//99999999999/1/x/y")), "ValueError");
  EXPECT_EQ(exception_class(get("typed///1/x/y")), "ValueError");
  EXPECT_EQ(get("optional//a/7")->body(), "a7");
  EXPECT_EQ(get("optional//a")->body(), "a-");
  EXPECT_NE(get("optional")->body().find("takes at least 1 argument (0 given)"), std::string::npos);
  EXPECT_NE(get("optional//1/2/3")->body().find("takes at most 2 arguments (3 given)"),
            std::string::npos);
  EXPECT_EQ(get("rest//a/b/c")->body(), "2");
  EXPECT_EQ(get("rest//a")->body(), "0");
  EXPECT_EQ(get("const")->body(), "1");
}

TEST_F(SdkTest, TakesResultsOfManyTypes) {
  EXPECT_EQ(get("map")->body(), "{\"a\": [1, 2]}");
  EXPECT_EQ(get("maybe//1")->body(), "1");
  EXPECT_EQ(get("maybe//0")->body(), "");
  EXPECT_EQ(get("either//int")->body(), "1");
  EXPECT_EQ(get("either//text")->body(), "text");
  EXPECT_EQ(get("either//none")->body(), "");
  EXPECT_EQ(get("header")->head().headers, (pipe::Headers{{"x-made-by", "sdk"}}));
  EXPECT_EQ(get("problem")->head().content_type, "application/problem+json");
  EXPECT_EQ(get("latin1")->body(), "\xe9") << "a string is sent as it is";
}

TEST_F(SdkTest, NamesTheClassOfWhateverIsThrown) {
  EXPECT_EQ(exception_class(get("custom")), "CustomError");
  EXPECT_TRUE(exception_class(get("template")).starts_with("Wrapped<"));
  EXPECT_EQ(exception_class(get("int")), "int");
  EXPECT_EQ(exception_class(get("nan")), "ValueError");
  EXPECT_EQ(exception_class(get("latin1_json")), "ValueError");
  EXPECT_EQ(exception_class(get("huge")), "bad_alloc");
  const auto silent = get("silent");
  EXPECT_EQ(exception_class(silent), "SilentError");
  EXPECT_EQ(silent->body().find("\"\""), std::string::npos)
      << "no empty string in " << silent->body();
}

TEST_F(SdkTest, AnswersLaterFromAThreadOfItsOwn) {
  EXPECT_EQ(get("later//1")->body(), "[1]");
  EXPECT_EQ(exception_class(get("later_raise")), "CustomError");
  EXPECT_EQ(exception_class(get("dropped")), "NoAnswer");
  EXPECT_EQ(exception_class(get("dropped_later")), "NoAnswer");
  EXPECT_EQ(exception_class(get("throws_with_responder")), "CustomError");
}

TEST_F(SdkTest, StreamsWithoutEverWaiting) {
  constexpr std::size_t kTotal = 100 * 10'000;
  const auto asked = ask(dispatcher_, "get", "pump//100");
  std::size_t consumed = 0;
  while (!asked->done()) {
    ASSERT_TRUE(asked->wait_bytes(consumed + 1));
    const auto arrived = asked->body().size();
    ASSERT_LE(arrived - consumed, pipe::kStreamWindowBytes + kPieceBytesMax);
    asked.control->consumed(arrived - consumed);
    consumed = arrived;
  }
  EXPECT_EQ(asked->body().size(), kTotal);
  EXPECT_FALSE(asked->failure());
}

TEST_F(SdkTest, ReadsABodyThatFollows) {
  const auto put = [this](std::string noun, std::optional<std::uint64_t> bytes = std::nullopt) {
    auto event = make_event("put", std::move(noun));
    event.body_follows = true;
    event.body_bytes = bytes;
    return ask(dispatcher_, std::move(event));
  };
  for (const char* noun : {"count", "gulp"}) {
    const auto asked = put(noun);
    std::size_t sent = 0;
    for (; sent < 1'000'000; sent += 50'000) {
      if (sent >= 200'000) {
        ASSERT_TRUE(asked->wait_body_consumed(sent - 200'000)) << noun;
      }
      asked.control->body_data(std::string(50'000, 'x'));
    }
    asked.control->body_end();
    ASSERT_TRUE(asked->wait_done()) << noun;
    EXPECT_EQ(asked->body(), "1000000") << noun;
  }
  EXPECT_EQ(put("length")->body(), "unknown");
  EXPECT_EQ(put("length", 7)->body(), "7");
  EXPECT_EQ(send("put", "length", "text/plain", "abc")->body(), "3");
}

TEST_F(SdkTest, ABodyThatBreaksOffEndsItsHandler) {
  auto event = make_event("put", "count");
  event.body_follows = true;
  const auto asked = ask(dispatcher_, std::move(event));
  asked.control->cancel();
  EXPECT_EQ(dispatcher_.stop(kPatience), 0U) << "the handler left its read()";
}

TEST_F(SdkTest, AListenerHearsWhatThePluginsHear) {
  using Kind = StateChange::Kind;
  std::vector<StateChange> heard;
  plugins_->set_listener([&](const StateChange& change) { heard.push_back(change); });
  const auto since = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'500));
  plugins_->start_hook({"alice", "192.0.2.7", 4711});
  plugins_->connection_removed({"alice", "192.0.2.7", 4711}, 3);
  plugins_->idle(since, std::chrono::seconds(60));
  plugins_->connect_fail(2, since);
  plugins_->connect_success(4, std::nullopt);
  ASSERT_EQ(heard.size(), 5U);
  EXPECT_EQ(heard[0].kind, Kind::start_hook);
  EXPECT_EQ(heard[0].peer.name, "alice");
  EXPECT_EQ(heard[0].peer.port, 4711);
  EXPECT_EQ(heard[1].kind, Kind::connection_removed);
  EXPECT_EQ(heard[1].count, 3U);
  EXPECT_EQ(heard[2].since_s, 1.5);
  EXPECT_EQ(heard[2].seconds, 60);
  EXPECT_EQ(heard[3].kind, Kind::connect_fail);
  EXPECT_EQ(heard[3].count, 2U);
  EXPECT_EQ(heard[4].since_s, 0);
}

TEST_F(SdkTest, AThrowingCallbackIsOnlyLogged) {
  plugins_->idle({}, 0s);
  EXPECT_EQ(get("const")->body(), "1");
}

class HostilePluginTest : public PluginFixture {
 protected:
  void SetUp() override { load("hostile_plugin"); }
};

TEST_F(HostilePluginTest, GetsOneAnswerOutWhateverItDoes) {
  EXPECT_EQ(exception_class(get("drop")), "NoAnswer");
  EXPECT_EQ(get("twice")->body(), "first");
  EXPECT_EQ(get("second")->body(), "answered");
  EXPECT_EQ(exception_class(get("headless")), "ValueError");
  EXPECT_EQ(exception_class(get("small_head")), "ValueError");
  EXPECT_EQ(exception_class(get("negative")), "ValueError");
  EXPECT_EQ(exception_class(get("split")), "ValueError");
  EXPECT_EQ(exception_class(get("no_stream")), "ValueError");
  const auto raised = get("bare_raise");
  EXPECT_EQ(exception_class(raised), "Exception");
  EXPECT_EQ(raised->body().find("\"\""), std::string::npos) << raised->body();
}

TEST_F(HostilePluginTest, CannotRegisterAfterInit) {
  EXPECT_EQ(get("late_registration")->body(), "refused");
  EXPECT_EQ(get("late")->head().code, 255u);
}

TEST_F(HostilePluginTest, SeesArgumentsAndHeadersThroughTheStruct) {
  auto event = make_event("get", "args//a/b");
  event.headers = {{"x-a", "1"}};
  EXPECT_EQ(ask(dispatcher_, std::move(event))->body(), "a;b;x-a=1;");
}

// A plugin linked in, so that the test can see inside it.
struct Thrower {
  static inline const restpipe_host* host = nullptr;

  static restpipe_status init(const restpipe_host* h, restpipe_plugin* plugin) {
    host = h;
    add("before", [](void*, void*, restpipe_call*, const restpipe_invocation*) { throw 1; });
    add("after", [](void*, void*, restpipe_call* call, const restpipe_invocation*) {
      host->release(call);
      throw std::runtime_error("after release");
    });
    plugin->idle = [](void*, double, double) { throw 2; };
    return RESTPIPE_OK;
  }
  static void add(std::string_view noun, restpipe_invoke_fn invoke) {
    restpipe_method method{sizeof(method), {"get", 3}, {noun.data(), noun.size()}, 0,
                           invoke,         nullptr};
    ASSERT_EQ(host->register_method(host, &method), RESTPIPE_OK);
  }
};

class ThrowerTest : public PluginFixture {};

TEST_F(ThrowerTest, ExceptionsThatCrossTheContractAreStoppedToo) {
  plugins_ = std::make_unique<PluginSet>(Role::server, "n", dispatcher_);
  plugins_->load_builtin("thrower", &Thrower::init);
  EXPECT_EQ(exception_class(get("before")), "UnknownException");
  EXPECT_EQ(exception_class(get("after")), "runtime_error");
  plugins_->idle({}, 0s);
}

}  // namespace
}  // namespace rp::handlers
