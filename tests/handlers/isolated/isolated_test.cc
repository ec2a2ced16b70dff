#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "handlers/isolated/isolated_plugins.h"
#include "tests/handlers/isolated/fake_hosts.h"
#include "tests/handlers/plugins.h"

namespace rp::handlers {
namespace {

using pipe::Errc;
using testing::ElementsAre;
using testing::HasSubstr;

class IsolatedTest : public testing::Test {
 protected:
  IsolatedTest() {
    times_.pauses = {.base = 1ms, .cap = 5ms};
    times_.restart_wait = kPatience;
  }
  void TearDown() override {
    dispatcher_.stop(0ms);
    if (plugins_) plugins_->stop();
  }

  void load(const std::string& plugin = "fragile_plugin", Role role = Role::server) {
    IsolatedPlugins::Options options;
    options.settings.role = role;
    options.settings.node = "node-7";
    options.settings.workers = 2;
    options.times = times_;
    options.launcher = hosts_;
    plugins_ = std::make_unique<IsolatedPlugins>(std::move(options));
    plugins_->load(folder_.install(plugin), dispatcher_);
  }
  /// Why it is not loaded.
  std::string refusal(const std::string& plugin) {
    try {
      load(plugin);
    } catch (const PluginRefused& refused) {
      return refused.what();
    }
    return "it was loaded";
  }

  Asked get(const std::string& noun) {
    auto asked = ask(dispatcher_, "get", noun);
    EXPECT_TRUE(asked->wait_done());
    return asked;
  }
  /// A call whose handler has begun.
  Asked waiting_call(const std::string& id) {
    auto asked = ask(dispatcher_, "get", "hold//" + id);
    EXPECT_TRUE(eventually([&] { return get("waiting")->body() != "0"; }));
    return asked;
  }
  IsolatedPlugin::Status status() const { return plugins_->status().at(0); }

  PluginFolder folder_;
  HostTimes times_;
  const std::shared_ptr<FakeHosts> hosts_ = std::make_shared<FakeHosts>();
  std::unique_ptr<IsolatedPlugins> plugins_;  // outlives the dispatcher
  Dispatcher dispatcher_{{.workers = 2}};
};

TEST_F(IsolatedTest, MethodsAnswerAsIfTheyWereLoadedHere) {
  load();
  EXPECT_EQ(status().name, "fragile");
  EXPECT_TRUE(status().up);
  auto event = make_event("get", "asked");
  event.query = "a=b";
  event.headers.push_back({"x-test", "yes"});
  event.deadline = pipe::Clock::now() + 1h;
  const auto asked = ask(dispatcher_, std::move(event));
  ASSERT_TRUE(asked->wait_done());
  EXPECT_THAT(asked->body(), HasSubstr(R"("role": "server", "node": "node-7", "origin": "alice", )"
                                       R"("address": "192.0.2.7", "port": 4711, "query": "a=b", )"
                                       R"("header": "yes", "time_left": 3)"));
  EXPECT_EQ(get("nothing")->head().code, pipe::kCodeNoSuchMethod);
  EXPECT_TRUE(dispatcher_.is_idempotent("get", "pid"));
  EXPECT_FALSE(dispatcher_.is_idempotent("get", "asked"));
}

TEST_F(IsolatedTest, ACallWithoutAnOriginKeepsNone) {
  load();
  const auto sink = std::make_shared<RecordingSink>();
  dispatcher_.submit(make_event("get", "asked"), {}, {"", "unix", 0}, sink);
  ASSERT_TRUE(sink->wait_done());
  EXPECT_THAT(sink->body(), HasSubstr(R"("origin": "", "address": "unix", "port": 0)"));
  EXPECT_THAT(sink->body(), HasSubstr(R"("time_left": -1)"));
}

TEST_F(IsolatedTest, BodiesStreamBothWays) {
  load();
  auto event = make_event("post", "hash");
  event.body_follows = true;
  const auto hash = ask(dispatcher_, std::move(event));
  std::size_t given = 0;
  for (int i = 0; i < 64; ++i) {
    hash.control->body_data(std::string(32 * 1024, 'x'));
    given += 32 * 1024;
    // Never more than a window ahead.
    if (given > pipe::kStreamWindowBytes / 2) {
      ASSERT_TRUE(hash->wait_body_consumed(given - pipe::kStreamWindowBytes / 2));
    }
  }
  hash.control->body_end();
  ASSERT_TRUE(hash->wait_done());
  EXPECT_THAT(hash->body(), HasSubstr("\"bytes\": 2097152"));

  const auto blocks = ask(dispatcher_, "get", "blocks//64/0");
  std::size_t taken = 0;
  while (taken < 64 * 64 * 1024) {
    ASSERT_TRUE(blocks->wait_bytes(taken + 1));
    const auto size = blocks->body().size();
    EXPECT_LE(size - taken, 2 * pipe::kStreamWindowBytes);
    blocks.control->consumed(size - taken);
    taken = size;
  }
  ASSERT_TRUE(blocks->wait_done());
  EXPECT_FALSE(blocks->failure());
}

TEST_F(IsolatedTest, ACancelReachesTheStopToken) {
  load();
  const auto asked = waiting_call("a");
  asked.control->cancel();
  EXPECT_TRUE(eventually([&] { return get("gone_at//a")->body() != "0"; }));
}

TEST_F(IsolatedTest, WhenTheHostEndsItsCallsHearHow) {
  load();
  const auto asked = waiting_call("a");
  hosts_->last().end({0, SIGSEGV});
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->error(), Errc::handler_crashed);
  EXPECT_EQ(asked->failure()->detail,
            "the host process of plugin fragile ended by signal 11 (SIGSEGV) before the reply was "
            "complete; the handler may have run");
}

TEST_F(IsolatedTest, AnExitIsNamedByItsStatus) {
  load();
  const auto asked = waiting_call("a");
  hosts_->last().end({3, 0});
  ASSERT_TRUE(asked->wait_done());
  EXPECT_THAT(asked->failure()->detail, HasSubstr("ended by exit status 3 before"));
}

TEST_F(IsolatedTest, AStreamInFlightBreaksOff) {
  load();
  const auto blocks = ask(dispatcher_, "get", "blocks//1000/0");
  ASSERT_TRUE(blocks->wait_bytes(1));  // nothing is consumed, so it stalls
  hosts_->last().end({0, SIGABRT});
  ASSERT_TRUE(blocks->wait_done());
  EXPECT_TRUE(blocks->begun());
  EXPECT_EQ(blocks->error(), Errc::handler_crashed);
}

TEST_F(IsolatedTest, CallsWaitForTheNextHost) {
  load();
  hosts_->last().end({0, SIGSEGV});
  for (int i = 0; i < 20; ++i) {
    const auto asked = get("pid");
    if (asked->error() == Errc::handler_crashed) continue;  // was on its way to the first one
    EXPECT_FALSE(asked->failure()) << asked->failure()->detail;
  }
  EXPECT_TRUE(eventually([&] { return status().restarts == 1 && status().up; }));
}

TEST_F(IsolatedTest, CallsThatHaveNotLeftTheNodeGoToTheNextHost) {
  load();
  const auto nap = ask(dispatcher_, "get", "nap//1000");  // nothing is read meanwhile
  std::vector<Asked> calls;
  for (int i = 0; i < 500; ++i) {
    auto event = make_event("get", "pid");
    event.query = std::string(8 * 1024, 'q');  // together more than a socket holds
    calls.push_back(ask(dispatcher_, std::move(event)));
  }
  ASSERT_TRUE(eventually([&] { return hosts_->last().has_unread(); }));
  hosts_->last().end({0, SIGSEGV});
  std::size_t crashed = 0;
  std::size_t answered = 0;
  for (const auto& call : calls) {
    ASSERT_TRUE(call->wait_done());
    if (call->error() == Errc::handler_crashed) ++crashed;
    if (!call->failure()) ++answered;
  }
  EXPECT_EQ(crashed + answered, calls.size());
  EXPECT_GT(crashed, 0U);
  EXPECT_GT(answered, 0U);
}

TEST_F(IsolatedTest, ABodyThatComesWhileTheHostIsDownIsKept) {
  times_.pauses = {.base = 1'000ms, .cap = 1'000ms};
  load();
  hosts_->last().end({0, SIGSEGV});
  ASSERT_TRUE(eventually([&] { return !status().up; }));
  auto event = make_event("post", "echo");
  event.body_follows = true;
  const auto asked = ask(dispatcher_, std::move(event));
  asked.control->body_data("ab");
  asked.control->body_data("cd");
  ASSERT_TRUE(hosts_->wait_for_launches(2));
  asked.control->body_data("ef");
  asked.control->body_end();
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->body(), "abcdef");
}

TEST_F(IsolatedTest, ACallThatWaitsMayBeCancelled) {
  times_.pauses = {.base = 1h, .cap = 1h};
  times_.restart_wait = 2h;
  load();
  hosts_->last().end({0, SIGSEGV});
  ASSERT_TRUE(eventually([&] { return !status().up; }));
  const auto asked = ask(dispatcher_, "get", "pid");
  asked.control->cancel();
  plugins_->stop();
  EXPECT_FALSE(asked->done());
}

TEST_F(IsolatedTest, ACallWaitsForSoLongOnly) {
  times_.restart_wait = 50ms;
  load();
  hosts_->set_kind(FakeHosts::Kind::silent);  // starts, and never says that it is up
  hosts_->last().end({0, SIGSEGV});
  ASSERT_TRUE(hosts_->wait_for_launches(2));
  const auto asked = get("pid");
  EXPECT_EQ(asked->error(), Errc::handler_unavailable);
  EXPECT_EQ(asked->failure()->detail,
            "the host process of plugin fragile ended by signal 11 (SIGSEGV) and is not back yet; "
            "the handler has not run");
}

TEST_F(IsolatedTest, ACallDoesNotWaitForAPauseThatIsLonger) {
  times_.pauses = {.base = 1h, .cap = 1h};
  times_.restart_wait = 1min;
  load();
  hosts_->last().end({0, SIGSEGV});
  ASSERT_TRUE(eventually([&] { return !status().up; }));
  EXPECT_EQ(get("pid")->error(), Errc::handler_unavailable) << "a minute is beyond patience";
}

TEST_F(IsolatedTest, SoManyCallsWaitOnly) {
  times_.pauses = {.base = 1h, .cap = 1h};
  times_.restart_wait = 2h;
  load();
  hosts_->last().end({0, SIGSEGV});
  ASSERT_TRUE(eventually([&] { return !status().up; }));
  std::vector<Asked> waiting;
  for (std::size_t i = 0; i < IsolatedPlugin::kWaitingMax; ++i) {
    waiting.push_back(ask(dispatcher_, "get", "pid"));
  }
  EXPECT_EQ(get("pid")->error(), Errc::overloaded);
  plugins_->stop();
  for (const auto& asked : waiting) EXPECT_EQ(asked->error(), Errc::stopped);
}

TEST_F(IsolatedTest, AHostThatIsSilentIsKilledAndReplaced) {
  times_.heartbeat = {50ms, 200ms};
  load();
  hosts_->set_kind(FakeHosts::Kind::silent);
  hosts_->last().end({0, SIGSEGV});
  ASSERT_TRUE(hosts_->wait_for_launches(2));
  auto& silent = hosts_->last();
  hosts_->set_kind(FakeHosts::Kind::serves);
  ASSERT_TRUE(hosts_->wait_for_launches(3));
  EXPECT_THAT(silent.signals(), ElementsAre(SIGKILL));
  EXPECT_FALSE(get("pid")->failure());
}

TEST_F(IsolatedTest, AHostThatLoadsForTooLongIsKilled) {
  hosts_->set_kind(FakeHosts::Kind::silent);
  times_.start = 50ms;
  EXPECT_THAT(refusal("fragile_plugin"),
              HasSubstr("fragile_plugin.so refused: its host process did not load the plugin "
                        "within 50 ms and was killed"));
}

TEST_F(IsolatedTest, AHostThatCannotBeStartedIsTriedAgain) {
  load();
  hosts_->set_kind(FakeHosts::Kind::fails);
  hosts_->last().end({0, SIGSEGV});
  ASSERT_TRUE(hosts_->wait_for_launches(4));
  hosts_->set_kind(FakeHosts::Kind::serves);
  EXPECT_FALSE(get("pid")->failure());
}

TEST_F(IsolatedTest, AtTheFirstStartItIsARefusal) {
  hosts_->set_kind(FakeHosts::Kind::fails);
  EXPECT_THAT(refusal("fragile_plugin"),
              HasSubstr("refused: its host process could not be started"));
  EXPECT_EQ(hosts_->launches(), 1);
}

TEST_F(IsolatedTest, RefusesWithTheWordsOfTheLoader) {
  const auto line = refusal("refused_abi");
  PluginSet here(Role::server, "node-7", dispatcher_);
  try {
    here.load((folder_.path() / "refused_abi.so").string());
    FAIL() << "it was loaded";
  } catch (const PluginRefused& refused) {
    EXPECT_EQ(line, refused.what());
  }
  EXPECT_EQ(hosts_->launches(), 1) << "it is not tried again";
}

TEST_F(IsolatedTest, RefusesAMethodThatExists) {
  dispatcher_.add("get", "pid", Flags::none, [](const Invocation&, Responder&) {});
  EXPECT_THAT(refusal("fragile_plugin"),
              HasSubstr("fragile_plugin.so refused: method 'get_pid' belongs to another plugin "
                        "already"));
}

TEST_F(IsolatedTest, RefusesWhatItMayNotTrust) {
  folder_.install("fragile_plugin", "loose.so", 0777);
  IsolatedPlugins::Options options;
  options.launcher = hosts_;
  IsolatedPlugins plugins(std::move(options));
  EXPECT_THROW(plugins.load((folder_.path() / "loose.so").string(), dispatcher_), PluginRefused);
  EXPECT_THROW(plugins.load("relative.so", dispatcher_), PluginRefused);
  EXPECT_EQ(hosts_->launches(), 0);
}

TEST_F(IsolatedTest, LoadsEveryLibraryOfAFolder) {
  folder_.install("fragile_plugin", "many/a.so");
  folder_.install("restpipe_demo", "many/b.so");
  IsolatedPlugins::Options options;
  options.launcher = hosts_;
  plugins_ = std::make_unique<IsolatedPlugins>(std::move(options));
  plugins_->load((folder_.path() / "many").string(), dispatcher_);
  EXPECT_EQ(plugins_->status().size(), 2U);
  EXPECT_EQ(hosts_->launches(), 2);
  EXPECT_FALSE(get("time")->failure());
  EXPECT_FALSE(get("pid")->failure());
}

TEST_F(IsolatedTest, HearsOfPipesAndOfThoseThatAreUpAfterARestart) {
  load();
  const auto tell = [&](StateChange::Kind kind, const char* name, std::uint64_t count = 0) {
    plugins_->tell({kind, {name, "192.0.2.1", 1}, count});
  };
  using Kind = StateChange::Kind;
  tell(Kind::connection_added, "a", 1);
  tell(Kind::start_hook, "a");
  tell(Kind::connection_added, "b", 2);
  tell(Kind::start_hook, "b");
  tell(Kind::stop_hook, "a");
  tell(Kind::connection_removed, "a", 1);
  const std::string all = "added a 1;start a;added b 2;start b;stop a;removed a 1;";
  EXPECT_TRUE(eventually([&] { return get("heard")->body() == all; })) << get("heard")->body();
  hosts_->last().end({0, SIGSEGV});
  ASSERT_TRUE(eventually([&] { return status().restarts == 1 && status().up; }));
  EXPECT_TRUE(eventually([&] { return get("heard")->body() == "added b 1;start b;"; }))
      << get("heard")->body();
}

TEST_F(IsolatedTest, AClientsPluginHearsOfItsPipeOnly) {
  load("fragile_plugin", Role::client);
  plugins_->tell({StateChange::Kind::connect_success, {}, 3});
  plugins_->tell({StateChange::Kind::start_hook, {"hub", "192.0.2.1", 1}});
  EXPECT_TRUE(eventually([&] { return get("heard")->body() == "connected 3;start hub;"; }));
  hosts_->last().end({0, SIGSEGV});
  ASSERT_TRUE(eventually([&] { return status().restarts == 1 && status().up; }));
  EXPECT_TRUE(eventually([&] { return get("heard")->body() == "start hub;"; }));
}

TEST_F(IsolatedTest, StopLetsTheHostGoByItself) {
  load();
  auto& host = hosts_->last();
  plugins_->stop();
  EXPECT_THAT(host.signals(), ElementsAre());
  EXPECT_EQ(get("pid")->error(), Errc::stopped);
}

TEST_F(IsolatedTest, StopEndsAHostThatIsNotUpYet) {
  load();
  hosts_->set_kind(FakeHosts::Kind::silent);
  hosts_->last().end({0, SIGSEGV});
  ASSERT_TRUE(hosts_->wait_for_launches(2));
  auto& silent = hosts_->last();
  plugins_->stop();
  EXPECT_THAT(silent.signals(), testing::Contains(SIGTERM));
}

}  // namespace
}  // namespace rp::handlers
