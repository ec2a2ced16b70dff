// The handler contract of the reference (specification sections 2.4 to 3), row by row, through the
// plugins that the tests of the whole program use.
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "handlers/demo/builtin.h"
#include "tests/handlers/plugins.h"

namespace rp::handlers {
namespace {

using namespace std::chrono_literals;

class DemoTest : public PluginFixture {};

TEST_F(DemoTest, TellsTheTimeWithMicroseconds) {
  load("restpipe_demo");
  const auto asked = get("time");
  EXPECT_EQ(asked->head().code, 0u);
  EXPECT_EQ(asked->head().content_type, "application/json");
  const auto body = asked->body();
  ASSERT_TRUE(body.starts_with("{\"time_from_server\": ")) << body;
  const auto told = std::stod(body.substr(body.find(' ')));
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  EXPECT_NEAR(told, now.count(), 2);
  EXPECT_NE(body.find('.'), std::string::npos);
}

TEST_F(DemoTest, SaysOnWhichSideItRuns) {
  load("restpipe_demo", Role::client);
  EXPECT_TRUE(get("time")->body().starts_with("{\"time_from_client\": "));
  EXPECT_EQ(get("cat//x/y")->body(), "{\"result_from_client\": \"xy\"}");
}

TEST_F(DemoTest, JoinsTwoArguments) {
  load("restpipe_demo");
  EXPECT_EQ(get("cat//hello /world")->body(), "{\"result_from_server\": \"hello world\"}");
  EXPECT_EQ(get("cat//a/b//c")->body(), "{\"result_from_server\": \"ab\"}");
  EXPECT_EQ(get("cat///b")->body(), "{\"result_from_server\": \"b\"}");
  EXPECT_EQ(get("cat//a+b/c+d")->body(), "{\"result_from_server\": \"a+bc+d\"}");
  EXPECT_EQ(get("cat//caf\xc3\xa9/\xf0\x9f\x98\x80")->body(),
            "{\"result_from_server\": \"caf\\u00e9\\ud83d\\ude00\"}");
}

TEST_F(DemoTest, RefusesAnotherNumberOfArgumentsWithATypeError) {
  load("restpipe_demo");
  EXPECT_EQ(get("cat//a")->body(),
            "{\"exception\": {\"message\": \"get_cat() takes exactly 2 arguments (1 given)\", "
            "\"traceback\": \"in get_cat(), request req-1\\n\", \"class\": \"TypeError\"}}");
  EXPECT_EQ(exception_class(get("cat")), "TypeError");
  EXPECT_EQ(exception_class(get("cat//a/b/c")), "TypeError");
  EXPECT_EQ(exception_class(get("time//")), "TypeError");
}

TEST_F(DemoTest, AnswersNothingElse) {
  load("restpipe_demo");
  for (const char* noun : {"time/", "", "/time", "Time", "nope", "methods", "start_hook"}) {
    EXPECT_EQ(get(noun)->head().code, 255u) << noun;
  }
  EXPECT_EQ(send("post", "time", "", "x=1")->head().code, 255u);
}

TEST_F(DemoTest, IsLinkedIntoTheProgramToo) {
  plugins_ = std::make_unique<PluginSet>(Role::client, "node-7", dispatcher_);
  plugins_->load_builtin("demo", &init_demo);
  EXPECT_EQ(plugins_->names(), std::vector<std::string>{"demo"});
  EXPECT_EQ(get("cat//x/y")->body(), "{\"result_from_client\": \"xy\"}");
  EXPECT_TRUE(dispatcher_.is_idempotent("get", "time"));
}

class ParityTest : public PluginFixture {
 protected:
  void SetUp() override { load("parity_plugin"); }
};

TEST_F(ParityTest, TheVerbSelectsTheMethod) {
  for (const char* verb : {"get", "post", "put", "delete", "patch"}) {
    EXPECT_EQ(send(verb, "verb", "", "")->body(), verb);
  }
}

TEST_F(ParityTest, SlashesInNounsBecomeUnderscores) {
  EXPECT_EQ(get("time/utc")->body(), "utc");
  EXPECT_EQ(get("time_utc")->body(), "utc");
}

TEST_F(ParityTest, EchoesEveryByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  const auto asked = send("post", "echo", "application/octet-stream", bytes);
  EXPECT_EQ(asked->body(), bytes);
  EXPECT_EQ(asked->head().content_type, "application/octet-stream");
}

TEST_F(ParityTest, DecodesJsonOfExactlyThatType) {
  EXPECT_EQ(send("post", "kind", "application/json", "{\"a\": [1, \"x\"]}")->body(), "json");
  EXPECT_EQ(send("post", "kind", "text/plain", "{\"a\": 1}")->body(), "text");
  EXPECT_EQ(send("post", "kind", "Application/JSON", "{\"a\": 1}")->body(), "text");
  EXPECT_EQ(send("post", "kind", "application/json", "")->body(), "text");
  EXPECT_EQ(send("post", "decoded", "application/json", " { \"a\" : 1 } ")->body(), "{\"a\":1}");
}

TEST_F(ParityTest, AnswersMalformedJsonAtOnce) {
  const auto asked = send("post", "kind", "application/json", "{\"a\": ");
  EXPECT_EQ(exception_class(asked), "ValueError");
  EXPECT_EQ(get("number")->body(), "5");
}

TEST_F(ParityTest, ShowsTheMimetypeAndTheRestOfTheRequest) {
  EXPECT_EQ(send("post", "mimetype", "text/csv", "x")->body(), "text/csv");
  EXPECT_EQ(send("post", "mimetype", "", "")->body(), "");
  EXPECT_EQ(send("get", "body", "text/plain", "a body")->body(), "a body");
  auto event = make_event("get", "query");
  event.query = "a=1&b=%20";
  EXPECT_EQ(ask(dispatcher_, event)->body(), "a=1&b=%20");
  event.noun = "headers";
  event.headers = {{"x-a", "1"}, {"x-b", "2"}};
  EXPECT_EQ(ask(dispatcher_, event)->body(), "x-a: 1\nx-b: 2\n");
  EXPECT_EQ(get("request_id")->body(), "req-1");
  EXPECT_EQ(get("origin")->body(), R"({"node": "alice", "address": "192.0.2.7", "port": 4711})");
}

TEST_F(ParityTest, RepliesInEveryForm) {
  const auto triple = get("reply/triple");
  EXPECT_EQ(triple->head().code, 42u);
  EXPECT_EQ(triple->head().content_type, "text/x-test");
  EXPECT_EQ(triple->body(), "some text");
  const auto nomime = get("reply/nomime");
  EXPECT_EQ(nomime->head().code, 42u);
  EXPECT_EQ(nomime->head().content_type, "application/json");
  EXPECT_EQ(nomime->body(), "{\"a\": 1}");
  const auto nothing = get("nothing");
  EXPECT_EQ(nothing->head().code, 0u);
  EXPECT_EQ(nothing->head().content_type, "application/json");
  EXPECT_EQ(nothing->body(), "");
  EXPECT_EQ(get("bare")->body(), "plain");
  EXPECT_EQ(get("bare")->head().content_type, "application/json");
  EXPECT_EQ(get("number")->body(), "5");
  EXPECT_EQ(get("list")->body(), "[1, \"\\u00e9\", null, true]");
}

TEST_F(ParityTest, TurnsExceptionsAndBadRepliesInto251) {
  const auto raised = get("raise");
  EXPECT_EQ(exception_class(raised), "runtime_error");
  EXPECT_NE(raised->body().find("\"message\": \"boom\""), std::string::npos);
  EXPECT_EQ(exception_class(get("badcode")), "ValueError");
  EXPECT_EQ(exception_class(get("badcode//-1")), "ValueError");
  EXPECT_EQ(exception_class(get("badmime")), "TypeError");
  EXPECT_EQ(get("badcode//4294967295")->head().code, 4294967295u);
}

TEST_F(ParityTest, StreamsInPieces) {
  EXPECT_EQ(get("stream//3")->body(), "piece 0\npiece 1\npiece 2\n");
  EXPECT_EQ(get("stream//2/100000")->body().size(), 200'000u);
  EXPECT_EQ(get("broken_stream")->error(), pipe::Errc::handler_failed);
}

TEST_F(ParityTest, ASleeperHearsOfTheCancel) {
  const auto log = (folder_.path() / "sleep").string();
  setenv("RP_TEST_SLEEP_FILE", log.c_str(), 1);
  const auto lines = [&] {
    std::stringstream text;
    text << std::ifstream(log).rdbuf();
    return text.str();
  };
  EXPECT_EQ(get("sleep//0.01")->body(), "slept");
  const auto asked = ask(dispatcher_, "get", "sleep//600");
  while (lines() != "started\nslept\nstarted\n") std::this_thread::yield();
  asked.control->cancel();
  EXPECT_EQ(dispatcher_.stop(kPatience), 0u);
  EXPECT_EQ(lines(), "started\nslept\nstarted\ncancelled\n");
  unsetenv("RP_TEST_SLEEP_FILE");
}

TEST_F(ParityTest, HearsOfEveryChangeOfConnection) {
  const auto log = (folder_.path() / "state").string();
  setenv("RP_TEST_STATE_FILE", log.c_str(), 1);
  plugins_->idle(PluginSet::WallClock::now(), 0s);
  plugins_->connection_added({"alice", "192.0.2.7", 4711}, 1);
  plugins_->start_hook({"alice", "192.0.2.7", 4711});
  plugins_->stop_hook({"alice", "192.0.2.7", 4711});
  plugins_->connection_removed({"alice", "192.0.2.7", 4711}, 0);
  plugins_->connect_fail(0, PluginSet::WallClock::now());
  plugins_->connect_success(3, std::nullopt);
  EXPECT_EQ(dispatcher_.stop(kPatience), 0u);
  plugins_->stop(kPatience);
  unsetenv("RP_TEST_STATE_FILE");
  std::stringstream text;
  text << std::ifstream(log).rdbuf();
  EXPECT_EQ(text.str(), "idle\nadded alice 1\nstart\nstop\nremoved alice 0\nfail 0\nsuccess 3\n");
}

}  // namespace
}  // namespace rp::handlers
