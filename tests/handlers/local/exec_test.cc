#include <csignal>
#include <fstream>
#include <sstream>
#include <sys/wait.h>

#include <fcntl.h>
#include <unistd.h>

#include "handlers/exec/exec_target.h"
#include "handlers/plugin_set.h"
#include "tests/handlers/local/fixture.h"

namespace rp::handlers {
namespace {

using std::filesystem::perms;

class ExecTest : public LocalTest {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // as a node has it
    std::filesystem::create_directory(directory_ / "methods");
    start({});
  }
  void TearDown() override { target_.reset(); }

  void start(ExecOptions options) {
    options.directories = {(directory_ / "methods").string()};
    options.node = "workshop";
    target_ = std::make_unique<ExecTarget>(std::move(options), threads_);
  }

  void script(const std::string& name, const std::string& text) {
    write_file("methods/" + name, "#!/bin/sh\n" + text + "\n", perms(0755));
  }

  Asked call(const std::string& verb, const std::string& noun, std::string body = {}) {
    return ask(*target_, make_event(verb, noun), std::move(body));
  }

  /// The whole answer of a call that ends by itself.
  Asked answered(const std::string& verb, const std::string& noun, std::string body = {}) {
    auto asked = call(verb, noun, std::move(body));
    EXPECT_TRUE(asked->wait_done()) << verb << ' ' << noun;
    return asked;
  }

  std::string text_of(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(directory_ / name).rdbuf();
    return text.str();
  }

  /// The process whose id a script wrote to `name`.
  pid_t process_in(const std::string& name) {
    EXPECT_TRUE(eventually([&] { return text_of(name).ends_with('\n'); })) << name;
    return static_cast<pid_t>(std::atoi(text_of(name).c_str()));
  }

  /// It runs no more; an orphan may still wait for init to take note.
  static bool gone(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string stat;
    return !std::getline(file, stat) || stat.find(") Z") != std::string::npos;
  }

  std::unique_ptr<ExecTarget> target_;
};

TEST_F(ExecTest, StdoutIsTheReply) {
  script("get_greeting", "echo hello");
  const auto asked = answered("get", "greeting");
  EXPECT_EQ(asked->body(), "hello\n");
  EXPECT_EQ(asked->head().code, 0U);
  EXPECT_EQ(asked->head().content_type, "text/plain");
  EXPECT_EQ(asked->head().http_status, 0);
}

TEST_F(ExecTest, ArgumentsAreArguments) {
  script("get_args", R"(printf '[%s]' "$@")");
  EXPECT_EQ(answered("get", "args//a b/$(id)/;x/")->body(), "[a b][$(id)][;x][]");
}

TEST_F(ExecTest, TheNameMapsLikeAMethodsAndItsExtensionIsIgnored) {
  script("get_time_utc.sh", "echo utc");
  EXPECT_EQ(answered("get", "time/utc")->body(), "utc\n");
  EXPECT_EQ(answered("get", "time_utc")->body(), "utc\n");
  EXPECT_EQ(answered("post", "time/utc")->head().code, pipe::kCodeNoSuchMethod);
  EXPECT_EQ(answered("get", "time/ut")->head().code, pipe::kCodeNoSuchMethod);
  EXPECT_EQ(answered("get", "time/utc.sh.x")->head().code, pipe::kCodeNoSuchMethod);
}

TEST_F(ExecTest, NothingOutsideTheDirectoryIsReached) {
  write_file("get_secret", "#!/bin/sh\necho secret\n", perms(0755));
  write_file("methods/sub/get_secret", "#!/bin/sh\necho secret\n", perms(0755));
  for (const char* noun : {"../get_secret", "..//x", "sub/get_secret", "secret", "", "%2e"}) {
    EXPECT_EQ(answered("get", noun)->head().code, pipe::kCodeNoSuchMethod) << noun;
  }
}

TEST_F(ExecTest, AnUnknownMethodHasCode255) {
  const auto asked = answered("get", "nothing");
  EXPECT_EQ(asked->head().code, pipe::kCodeNoSuchMethod);
  EXPECT_EQ(asked->body(), "");
}

TEST_F(ExecTest, ANewFileIsFoundAtOnce) {
  EXPECT_EQ(answered("get", "later")->head().code, pipe::kCodeNoSuchMethod);
  script("get_later", "echo now");
  EXPECT_EQ(answered("get", "later")->body(), "now\n");
}

TEST_F(ExecTest, AFileThatIsNotExecutableIsNoMethod) {
  write_file("methods/get_notes", "#!/bin/sh\necho notes\n");
  EXPECT_EQ(answered("get", "notes")->head().code, pipe::kCodeNoSuchMethod);
}

TEST_F(ExecTest, TwoExtensionsOfOneNameAreRefused) {
  script("get_double.sh", "echo 1");
  script("get_double.py", "echo 2");
  EXPECT_EQ(answered("get", "double")->error(), pipe::Errc::handler_unavailable);
  script("get_double", "echo 3");
  EXPECT_EQ(answered("get", "double")->body(), "3\n");
}

TEST_F(ExecTest, WhatOthersMayWriteIsNotRun) {
  script("get_open", "echo open");
  std::filesystem::permissions(directory_ / "methods/get_open", perms(0777));
  const auto asked = answered("get", "open");
  ASSERT_EQ(asked->error(), pipe::Errc::handler_unavailable);
  EXPECT_EQ(asked->failure()->detail.find(directory_.string()), std::string::npos)
      << asked->failure()->detail;
}

TEST_F(ExecTest, ALinkIsNotRun) {
  std::filesystem::create_symlink("/bin/true", directory_ / "methods/get_link");
  EXPECT_EQ(answered("get", "link")->error(), pipe::Errc::handler_unavailable);
}

TEST_F(ExecTest, ADirectoryThatOthersMayWriteIsRefusedAtTheStart) {
  std::filesystem::permissions(directory_ / "methods", perms(0777));
  try {
    start({});
    FAIL() << "taken";
  } catch (const PluginRefused& refused) {
    EXPECT_NE(std::string(refused.what()).find("directory of methods"), std::string::npos);
  }
}

TEST_F(ExecTest, TheBodyIsStdin) {
  script("post_upper", "tr a-z A-Z");
  EXPECT_EQ(answered("post", "upper", "shout")->body(), "SHOUT");
}

TEST_F(ExecTest, AnExecutableNeedNotReadItsBody) {
  script("post_deaf", "echo done");
  EXPECT_EQ(answered("post", "deaf", std::string(1'000'000, 'x'))->body(), "done\n");
}

TEST_F(ExecTest, AnEmptyBodyIsTheEndOfStdin) {
  script("get_size", "wc -c");
  EXPECT_EQ(std::stoi(answered("get", "size")->body()), 0);
}

TEST_F(ExecTest, TheEnvironmentIsWhatTheDocumentSays) {
  script("get_env", "exec env");
  ::setenv("RP_TEST_SECRET", "not for children", 1);
  auto event = make_event("get", "env//a/b");
  event.query = "x=1&y=2";
  event.content_type = "text/csv";
  event.headers = {{"x-forwarded-for", "10.0.0.1"}, {"accept", "a/b"}, {"accept", "c/d"}};
  event.deadline = pipe::Clock::now() + 60s;
  const auto asked = ask(*target_, std::move(event));
  ASSERT_TRUE(asked->wait_done());
  const auto text = "\n" + asked->body();
  for (const char* line :
       {"RESTPIPE_METHOD=get_env", "RESTPIPE_VERB=get", "RESTPIPE_NOUN=env",
        "RESTPIPE_QUERY=x=1&y=2", "RESTPIPE_CONTENT_TYPE=text/csv", "RESTPIPE_CALLER=alice",
        "RESTPIPE_ADDRESS=192.0.2.7", "RESTPIPE_REQUEST_ID=req-1", "RESTPIPE_NODE=workshop",
        "RESTPIPE_HEADER_X_FORWARDED_FOR=10.0.0.1", "RESTPIPE_HEADER_ACCEPT=a/b, c/d"}) {
    EXPECT_NE(text.find("\n" + std::string(line) + "\n"), std::string::npos) << line << text;
  }
  const auto left = text.find("\nRESTPIPE_TIME_LEFT_MS=");
  ASSERT_NE(left, std::string::npos) << text;
  const auto left_ms = std::stoi(text.substr(left + 23));
  EXPECT_GT(left_ms, 30'000);
  EXPECT_LE(left_ms, 60'000);
  EXPECT_NE(text.find("\nRESTPIPE_DEADLINE="), std::string::npos);
  EXPECT_EQ(text.find("RP_TEST_SECRET"), std::string::npos);
}

TEST_F(ExecTest, NoDescriptorIsInherited) {
  const int open_here = ::open("/dev/null", O_RDONLY);  // without close-on-exec
  script("get_descriptors", "ls /proc/self/fd | wc -l");
  // 0, 1, 2 and the one with which ls reads the directory.
  EXPECT_EQ(std::stoi(answered("get", "descriptors")->body()), 4);
  ::close(open_here);
}

TEST_F(ExecTest, TheExitStatusIsTheCode) {
  script("get_status", R"(echo body; exit "$1")");
  const auto asked = answered("get", "status//42");
  EXPECT_EQ(asked->head().code, 42U);
  EXPECT_EQ(asked->body(), "body\n");
}

TEST_F(ExecTest, TheLastLineOfStderrIsTheErrorWithoutPaths) {
  script("get_wrong", "echo first >&2; echo \"$0: no report 7\" >&2; echo >&2; exit 4");
  const auto asked = answered("get", "wrong");
  EXPECT_EQ(asked->head().code, 4U);
  EXPECT_EQ(asked->head().content_type, "text/plain");
  EXPECT_EQ(asked->body(), "get_wrong: no report 7");
}

TEST_F(ExecTest, ASignalIsACrash) {
  script("get_crash", "echo part; kill -SEGV $$");
  const auto asked = answered("get", "crash");
  ASSERT_EQ(asked->error(), pipe::Errc::handler_crashed);
  EXPECT_EQ(asked->failure()->detail, "get_crash was ended by signal 11 (SIGSEGV)");
}

TEST_F(ExecTest, WhatCannotStartSaysWhy) {
  write_file("methods/get_text", "no script\n", perms(0755));
  const auto asked = answered("get", "text");
  ASSERT_EQ(asked->error(), pipe::Errc::handler_unavailable);
  EXPECT_NE(asked->failure()->detail.find("#!/bin/sh"), std::string::npos);
  write_file("methods/get_lost", "#!/no/such/interpreter\n", perms(0755));
  EXPECT_NE(answered("get", "lost")->failure()->detail.find("interpreter"), std::string::npos);
}

TEST_F(ExecTest, ALongReplyIsAStreamThatWaitsForItsReader) {
  script("get_zeros", "head -c 3000000 /dev/zero");
  const auto asked = call("get", "zeros");
  ASSERT_TRUE(asked->wait_bytes(pipe::kStreamWindowBytes));
  // Nothing more comes while nothing is consumed; what is there beyond the window is a bug.
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(asked->body().size(), pipe::kStreamWindowBytes);
  std::size_t consumed = 0;
  while (!asked->done()) {
    const auto bytes = asked->body().size();
    asked.control->consumed(bytes - consumed);
    consumed = bytes;
    ASSERT_TRUE(asked->wait_bytes(std::min<std::size_t>(consumed + 1, 3'000'000)));
  }
  EXPECT_EQ(asked->body().size(), 3'000'000U);
  EXPECT_TRUE(asked->begun());
}

TEST_F(ExecTest, WhatIsWrittenEarlyArrivesEarly) {
  script("get_ticks", "echo tick; read line; echo tock");
  auto sink = std::make_shared<RecordingSink>();
  const auto control = open(*target_, make_event("get", "ticks"), std::make_shared<BodySink>(sink));
  ASSERT_TRUE(sink->wait_bytes(5));
  EXPECT_EQ(sink->body(), "tick\n");
  EXPECT_FALSE(sink->done());
  control->body_data("go\n");
  control->body_end();
  ASSERT_TRUE(sink->wait_done());
  EXPECT_EQ(sink->body(), "tick\ntock\n");
  EXPECT_EQ(sink->error(), std::nullopt);
}

TEST_F(ExecTest, AFailureAfterTheReplyHasBegunBreaksItOff) {
  script("get_half", "echo half; read line; exit 3");
  auto sink = std::make_shared<RecordingSink>();
  const auto control = open(*target_, make_event("get", "half"), std::make_shared<BodySink>(sink));
  ASSERT_TRUE(sink->wait_bytes(5));
  control->body_end();
  ASSERT_TRUE(sink->wait_done());
  ASSERT_EQ(sink->error(), pipe::Errc::handler_failed);
  EXPECT_EQ(sink->failure()->detail, "get_half ended with status 3 after its reply had begun");
}

TEST_F(ExecTest, AFollowingBodyIsTakenAtTheExecutablesPace) {
  script("post_slow", "mkfifo ../gate; read line < ../gate; wc -c");
  auto recorder = std::make_shared<RecordingSink>();
  const auto sink = std::make_shared<BodySink>(recorder);
  const auto control = open(*target_, make_event("post", "slow"), sink);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(directory_ / "gate"); }));
  for (int i = 0; i < 16; ++i) control->body_data(std::string(16 * 1024, 'x'));
  // A pipe holds 64 KiB; the rest stays with us, and so with the caller.
  ASSERT_TRUE(eventually([&] { return sink->consumed() >= 64 * 1024; }));
  std::this_thread::sleep_for(50ms);
  EXPECT_LE(sink->consumed(), 80U * 1024);
  std::ofstream(directory_ / "gate") << "go\n";
  ASSERT_TRUE(eventually([&] { return sink->consumed() == 256 * 1024; }));
  control->body_end();
  ASSERT_TRUE(recorder->wait_done());
  EXPECT_EQ(std::stoi(recorder->body()), 256 * 1024);
}

TEST_F(ExecTest, CgiHeadersBecomeTheReplysHead) {
  script(
      "get_page.cgi",
      R"(printf 'Status: 404 Not Found\r\nContent-Type: text/html\r\nX-One: 1\r\n\r\n<p>no</p>')");
  const auto asked = answered("get", "page");
  EXPECT_EQ(asked->head().http_status, 404);
  EXPECT_EQ(asked->head().content_type, "text/html");
  ASSERT_EQ(asked->head().headers.size(), 1U);
  EXPECT_EQ(asked->head().headers[0], (pipe::Header{"x-one", "1"}));
  EXPECT_EQ(asked->body(), "<p>no</p>");
}

TEST_F(ExecTest, OnlyCgiScriptsWriteHeaders) {
  script("get_plain.sh", R"(printf 'Content-Type: text/html\n\nx')");
  EXPECT_EQ(answered("get", "plain")->body(), "Content-Type: text/html\n\nx");
  script("get_bad.cgi", "echo nonsense; echo; echo x");
  EXPECT_EQ(answered("get", "bad")->error(), pipe::Errc::handler_failed);
  script("get_none.cgi", "exit 0");
  EXPECT_EQ(answered("get", "none")->error(), pipe::Errc::handler_failed);
  script("get_split.cgi", R"(printf 'X-A: b\r\n\tc\r\n\r\nx')");
  EXPECT_EQ(answered("get", "split")->error(), pipe::Errc::handler_failed);
}

TEST_F(ExecTest, AnEventStreamIsNotHeldBack) {
  script("get_events.cgi",
         "printf 'Content-Type: text/event-stream\\n\\ndata: 1\\n\\n'; read l; echo 'data: 2'");
  auto sink = std::make_shared<RecordingSink>();
  const auto control =
      open(*target_, make_event("get", "events"), std::make_shared<BodySink>(sink));
  ASSERT_TRUE(sink->wait_bytes(9));
  EXPECT_EQ(sink->body(), "data: 1\n\n");
  control->body_end();
  ASSERT_TRUE(sink->wait_done());
  EXPECT_EQ(sink->body(), "data: 1\n\ndata: 2\n");
}

TEST_F(ExecTest, CancelEndsTheWholeGroupAtOnce) {
  script("get_sleep", "sleep 600 & echo $! > ../child; echo $$ > ../leader; wait");
  const auto cancel = [&] {
    for (const char* file : {"child", "leader"}) std::filesystem::remove(directory_ / file);
    const auto asked = call("get", "sleep");
    const auto child = process_in("child");
    const auto leader = process_in("leader");
    const auto cancelled_at = pipe::Clock::now();
    asked.control->cancel();
    EXPECT_TRUE(eventually([&] { return gone(leader) && gone(child); }));
    EXPECT_FALSE(asked->done());
    return pipe::Clock::now() - cancelled_at;
  };
  EXPECT_LT(quickest(500ms, cancel), 500ms);
}

TEST_F(ExecTest, WhatIgnoresSigtermIsKilledASecondLater) {
  script("get_stubborn", "trap '' TERM; echo $$ > ../leader; while :; do sleep 1; done");
  const auto asked = call("get", "stubborn");
  const auto leader = process_in("leader");
  asked.control->cancel();
  EXPECT_TRUE(eventually([&] { return gone(leader); }));
}

TEST_F(ExecTest, TheDeadlineEndsTheGroupAndTheCall) {
  script("get_sleep", "echo $$ > ../leader; exec sleep 600");
  auto event = make_event("get", "sleep");
  event.deadline = pipe::Clock::now() + 300ms;
  const auto asked = ask(*target_, std::move(event));
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->error(), pipe::Errc::deadline_exceeded);
  EXPECT_TRUE(eventually([&] { return gone(process_in("leader")); }));
}

TEST_F(ExecTest, WhatAnExecutableLeavesBehindDoesNotHoldTheReply) {
  script("get_daemon", "sleep 600 & echo $! > ../child; echo started");
  EXPECT_EQ(answered("get", "daemon")->body(), "started\n");
  EXPECT_TRUE(eventually([&] { return gone(process_in("child")); }));
}

TEST_F(ExecTest, ProcessesAreBoundedAndSoAreThoseWhoWait) {
  start({.processes_max = 2, .waiting_max = 1});
  script("get_sleep", "echo $$ >> ../running; exec sleep 600");
  script("get_quick", "echo quick");
  const auto first = call("get", "sleep");
  const auto second = call("get", "sleep");
  ASSERT_TRUE(eventually([&] {
    const auto text = text_of("running");
    return std::count(text.begin(), text.end(), '\n') == 2;
  }));
  auto waits = call("get", "quick");
  auto refused = call("get", "quick");
  ASSERT_TRUE(eventually([&] { return waits->done() || refused->done(); }));
  if (waits->done()) std::swap(waits, refused);  // whichever came second; each has its own thread
  EXPECT_EQ(refused->error(), pipe::Errc::overloaded);
  EXPECT_FALSE(waits->done());
  first.control->cancel();
  EXPECT_TRUE(waits->wait_done());
  EXPECT_EQ(waits->body(), "quick\n");
  second.control->cancel();
}

TEST_F(ExecTest, ACallThatLeftTheLineTakesNoProcess) {
  start({.processes_max = 1, .waiting_max = 8});
  script("get_sleep", "echo $$ > ../leader; exec sleep 600");
  script("get_mark", "echo x >> ../marks");
  const auto holder = call("get", "sleep");
  process_in("leader");
  const auto leaves = call("get", "mark");
  const auto stays = call("get", "mark");
  leaves.control->cancel();
  holder.control->cancel();
  EXPECT_TRUE(stays->wait_done());
  EXPECT_EQ(text_of("marks"), "x\n");
}

TEST_F(ExecTest, ManyCallsLeaveNoZombiesAndNoDescriptors) {
  script("post_echo", "cat");
  const auto count = [](const char* path) {
    return std::distance(std::filesystem::directory_iterator(path), {});
  };
  answered("post", "echo", "warm");
  const auto before = count("/proc/self/fd");
  std::vector<Asked> calls;
  for (int i = 0; i < 60; ++i) {
    calls.push_back(call("post", "echo", std::to_string(i)));
    if (i % 3 == 0) calls.back().control->cancel();
  }
  for (int i = 0; i < 60; ++i) {
    if (i % 3 == 0) continue;
    ASSERT_TRUE(calls[static_cast<std::size_t>(i)]->wait_done());
    EXPECT_EQ(calls[static_cast<std::size_t>(i)]->body(), std::to_string(i));
  }
  EXPECT_TRUE(eventually([&] { return count("/proc/self/fd") <= before; }));
  EXPECT_TRUE(eventually([] {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD;
  })) << "a child was not waited for";
}

TEST_F(ExecTest, TheEndOfTheThreadsEndsTheProcesses) {
  script("get_sleep", "echo $$ > ../leader; exec sleep 600");
  pid_t leader = 0;
  {
    Threads threads;
    ExecTarget target({.directories = {(directory_ / "methods").string()}}, threads);
    const auto asked = ask(target, make_event("get", "sleep"));
    leader = process_in("leader");
    threads.stop();
  }
  EXPECT_TRUE(gone(leader));
}

}  // namespace
}  // namespace rp::handlers
