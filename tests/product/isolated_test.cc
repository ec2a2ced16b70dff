// Plugins in host processes: their crashes, and everything else as if they were in the node.
#include <atomic>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <gtest/gtest.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"

namespace rp::product {
namespace {

// The window of the session, twice. Sanitizers keep freed memory for a while, the address sanitizer
// up to 256 MiB.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kGrowthMaxKb = 640 * 1024;
#else
constexpr std::size_t kGrowthMaxKb = 64 * 1024;
#endif

/// "Name:   1234 kB" of a process; 0 when it is gone.
std::size_t status_kb(pid_t pid, const std::string& name) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::stoul(line.substr(name.size() + 1));
  }
  return 0;
}

/// Gone, or dead and not yet waited for by its adoptive parent.
bool is_dead(pid_t pid) {
  const auto text = read_text("/proc/" + std::to_string(pid) + "/stat");
  return text.empty() || contains(text, ") Z ");
}

/// Callers of other handlers, who must notice nothing.
class Bystanders {
 public:
  explicit Bystanders(std::vector<std::string> urls) {
    for (const auto& url : urls) threads_.emplace_back([this, url] { run(url); });
  }
  ~Bystanders() { stop(); }

  /// The answers that were not right; and there were right ones of each.
  std::string stop() {
    go_on_ = false;
    for (auto& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
    return problems_;
  }

 private:
  void run(const std::string& url) {
    do {
      const auto response = curl({url});
      if (response.status == 200 && response.exit_code == 0 && response.code() == "0") continue;
      const std::lock_guard lock(mutex_);
      problems_ += url + ": " + std::to_string(response.status) + ' ' + response.body + '\n';
    } while (go_on_);
  }

  std::atomic<bool> go_on_{true};
  std::mutex mutex_;
  std::string problems_;
  std::vector<std::thread> threads_;
};

class IsolatedProductTest : public LabTest {
 protected:
  void SetUp() override {
    start_pair({"--handlers", RP_DEMO_PLUGIN, "--isolated", RP_FRAGILE_PLUGIN, "--isolated",
                RP_COUNTING_PLUGIN});
  }

  /// Calls from the client node to the server node, of the node's own handlers and of another host;
  /// streams among them.
  std::vector<std::string> elsewhere() const {
    return {C("/server/time"), C("/server/runs"), C("/server/pattern//40")};
  }
  pid_t host_pid(const std::string& base) {
    const auto response = curl({base + "pid"});
    EXPECT_EQ(response.status, 200) << response.body;
    return response.status == 200 ? static_cast<pid_t>(std::stol(response.body)) : -1;
  }
  /// When the handler that holds the call `name` heard of its end.
  static TestClock::time_point when_gone(const std::string& base, const std::string& name) {
    std::string at;
    EXPECT_TRUE(eventually([&] { return (at = curl({base + "gone/at//" + name}).body) != "0"; }));
    return TestClock::time_point(std::chrono::nanoseconds(std::atoll(at.c_str())));
  }
  void expect_crash(const Response& response, const std::string& how) {
    expect_refusal(response, 502);
    for (const std::string& part :
         {std::string("\"code\":\"handler_crashed\""), std::string("\"may_have_run\":true"),
          "the host process of plugin fragile " + how}) {
      EXPECT_TRUE(contains(response.body, part)) << response.body;
    }
  }
};

TEST_F(IsolatedProductTest, ACrashCostsItsOwnCallsOnly) {
  Bystanders bystanders(elsewhere());
  int server_crashes = 0;
  for (const auto& [base, log_of] :
       {std::pair{C("/server/"), server_.get()}, std::pair{S("/client/alpha/"), client_.get()}}) {
    for (const auto& [noun, how] : {std::pair{"segv", "ended by signal 11 (SIGSEGV)"},
                                    std::pair{"abort", "ended by signal 6 (SIGABRT)"},
                                    std::pair{"exit//3", "ended by exit status 3"},
                                    std::pair{"exit//0", "ended by exit status 0"},
                                    std::pair{"segv/later//50", "ended by signal 11 (SIGSEGV)"}}) {
      const pid_t before = host_pid(base);
      expect_crash(curl({base + noun}), how);
      EXPECT_NE(host_pid(base), before) << "another one answers, and soon";
      EXPECT_TRUE(is_dead(before));
      EXPECT_TRUE(log_of->process().err_line(std::string("how=\"") + how + "\"")) << noun;
      if (log_of == server_.get()) ++server_crashes;
    }
  }
  EXPECT_EQ(bystanders.stop(), "");
  EXPECT_EQ(curl({S("/readyz")}).status, 200);
  const auto metrics = curl({S("/metrics")}).body;
  EXPECT_TRUE(contains(metrics, "restpipe_handler_host_up{plugin=\"fragile\","));
  const std::regex restarts(
      "restpipe_handler_host_restarts_total\\{plugin=\"fragile\",path=\"[^\"]*"
      "\"\\} " +
      std::to_string(server_crashes) + "\n");
  EXPECT_TRUE(std::regex_search(metrics, restarts)) << metrics;
}

TEST_F(IsolatedProductTest, PausesGrowWithEachCrash) {
  constexpr int kCrashes = 4;
  for (int i = 0; i < kCrashes; ++i) {
    expect_crash(curl({C("/server/segv")}), "ended by");
    host_pid(C("/server/"));
  }
  int seen = 0;
  for (const auto& line : lines_of(server_->log())) {
    if (!contains(line, "Host process has ended")) continue;
    std::smatch pause;
    ASSERT_TRUE(std::regex_search(line, pause, std::regex("restart_in_ms=(\\d+)"))) << line;
    const int bound = 100 << seen++;  // doubles, with jitter below it
    EXPECT_LE(std::stoi(pause[1]), bound) << line;
    EXPECT_GE(std::stoi(pause[1]), bound / 10) << line;
  }
  EXPECT_EQ(seen, kCrashes);
}

TEST_F(IsolatedProductTest, AMethodThatNeverReturnsIsEndedWithItsProcess) {
  Bystanders bystanders(elsewhere());
  const pid_t before = host_pid(C("/server/"));
  expect_crash(curl({C("/server/loop")}), "did not answer and was killed");
  EXPECT_TRUE(is_dead(before));
  host_pid(C("/server/"));
  EXPECT_EQ(bystanders.stop(), "");
}

TEST_F(IsolatedProductTest, AStreamInFlightIsBrokenOff) {
  const auto response = curl({C("/server/segv/in/stream")});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "so far");
  EXPECT_NE(response.exit_code, 0) << "curl can tell it from a complete one";
}

TEST_F(IsolatedProductTest, LargeBodiesStreamThroughTheHost) {
  constexpr std::size_t kBytes = std::size_t{100} << 20;
  std::string body(kBytes, '\0');
  std::uint64_t hash = 0xcbf29ce484222325;
  for (std::size_t i = 0; i < kBytes; ++i) {
    body[i] = static_cast<char>((i * 2654435761U) >> 13);
    hash = (hash ^ static_cast<unsigned char>(body[i])) * 0x100000001b3;
  }
  const pid_t host = host_pid(C("/server/"));
  const auto before_kb = status_kb(host, "VmHWM");
  const auto node_before_kb = status_kb(server_->process().pid(), "VmHWM");
  const auto up = curl({"-X", "POST", "-H", "Transfer-Encoding: chunked", "-H",
                        "Expect:", "--data-binary", data_file("large", body), C("/server/hash")},
                       60s);
  EXPECT_EQ(up.body, "{\"bytes\": " + std::to_string(kBytes) + ", \"hash\": \"" +
                         std::to_string(hash) + "\"}");
  const auto down = curl({C("/server/blocks//1600/0")}, 60s);
  EXPECT_EQ(down.exit_code, 0) << down.error;
  ASSERT_EQ(down.body.size(), kBytes);
  for (std::size_t block = 0; block < 1600; ++block) {
    const char expected = static_cast<char>('a' + block % 26);
    const auto piece = std::string_view(down.body).substr(block << 16, 1 << 16);
    ASSERT_EQ(piece.find_first_not_of(expected), piece.npos) << "block " << block;
  }
  EXPECT_EQ(host_pid(C("/server/")), host);
  EXPECT_LT(status_kb(host, "VmHWM") - before_kb, kGrowthMaxKb);
  EXPECT_LT(status_kb(server_->process().pid(), "VmHWM") - node_before_kb, kGrowthMaxKb);
}

TEST_F(IsolatedProductTest, WholeBodiesReachTheHost) {
  const std::string body(3'000'000, 'x');
  const auto echoed = curl({"--data-binary", data_file("body", body), C("/server/echo")});
  EXPECT_EQ(echoed.status, 200);
  EXPECT_TRUE(echoed.body == body);
}

TEST_F(IsolatedProductTest, AHangUpReachesTheHandlerWithin100Milliseconds) {
  for (const auto& base : {C("/server/"), S("/client/alpha/")}) {
    const auto hang_up = [&, names = 0]() mutable {
      const auto name = "a" + std::to_string(++names);
      TestClock::time_point hung_up_at;
      {
        CurlRun waiting({base + "hold//" + name});
        // It counts those of before, too.
        const auto begun = std::to_string(names);
        EXPECT_TRUE(eventually([&] { return curl({base + "waiting"}).body == begun; })) << base;
        hung_up_at = TestClock::now();
      }  // curl is killed
      return when_gone(base, name) - hung_up_at;
    };
    EXPECT_LT(quickest(100ms, hang_up), 100ms) << base;
  }
}

TEST_F(IsolatedProductTest, ADeadlineReachesTheHandlerWithin100Milliseconds) {
  const auto run_out = [&, names = 0]() mutable {
    const auto name = "b" + std::to_string(++names);
    const auto begun_at = TestClock::now();
    const auto late = curl({"-H", "Request-Timeout: 0.4", C("/server/hold//") + name});
    const auto answered_at = TestClock::now();
    expect_refusal(late, 504);
    const auto gone_at = when_gone(C("/server/"), name);
    EXPECT_GT(gone_at - begun_at, 300ms) << "the nodes keep some of the time for the way back";
    return gone_at - answered_at;
  };
  EXPECT_LT(quickest(100ms, run_out), 100ms);
}

TEST_F(IsolatedProductTest, SeesItsNodeAndItsCaller) {
  const auto asked = boost::json::parse(curl({C("/server/asked?a=b")}).body).as_object();
  EXPECT_EQ(asked.at("role").as_string(), "server");
  EXPECT_EQ(asked.at("node").as_string(), "hub");
  EXPECT_EQ(asked.at("origin").as_string(), "alpha");
  EXPECT_EQ(asked.at("address").as_string(), "127.0.0.1");
  EXPECT_GT(asked.at("port").to_number<int>(), 0);
  EXPECT_EQ(asked.at("query").as_string(), "a=b");
  EXPECT_EQ(boost::json::parse(curl({S("/client/alpha/asked")}).body).at("role").as_string(),
            "client");
}

TEST_F(IsolatedProductTest, HearsOfPipesAlsoAfterACrash) {
  const auto heard = [&] { return curl({C("/server/heard")}).body; };
  EXPECT_TRUE(eventually([&] { return heard() == "added alpha 1;start alpha;"; })) << heard();
  expect_crash(curl({C("/server/segv")}), "ended by");
  EXPECT_TRUE(eventually([&] { return heard() == "added alpha 1;start alpha;"; })) << heard();
}

TEST_F(IsolatedProductTest, ItsLogLinesAreTheNodes) {
  curl({C("/server/logged//hello%20you")});
  const auto line = server_->process().err_line("hello you");
  ASSERT_TRUE(line);
  EXPECT_TRUE(contains(*line, " WARNING plugin: ")) << *line;
  EXPECT_TRUE(contains(*line, "plugin=fragile")) << *line;
}

TEST_F(IsolatedProductTest, AKeyIsTheNodesAndOutlivesTheHost) {
  const std::vector<std::string> request{
      "-X", "POST", "-H", "Idempotency-Key: k", "-d", "body", C("/server/run//a")};
  EXPECT_EQ(curl(request).body, "body");
  const auto again = curl(request);
  EXPECT_EQ(again.body, "body");
  EXPECT_EQ(again.header("idempotency-replayed"), "true");
  EXPECT_EQ(curl({C("/server/runs/of//a")}).body, "1");
}

TEST_F(IsolatedProductTest, SigtermToAHostReplacesItWithoutAFailedCall) {
  const pid_t before = host_pid(C("/server/"));
  CurlRun stream({C("/server/blocks//20/50")});  // goes on for a second
  Bystanders callers({C("/server/asked")});
  ASSERT_TRUE(eventually([&] { return status_kb(before, "VmRSS") > 0; }));
  std::this_thread::sleep_for(300ms);  // well within the stream
  ::kill(before, SIGTERM);
  const auto streamed = stream.finish();
  EXPECT_EQ(streamed.exit_code, 0) << streamed.error;
  EXPECT_EQ(streamed.body.size(), 20U << 16);
  ASSERT_TRUE(eventually([&] { return is_dead(before); }));
  EXPECT_NE(host_pid(C("/server/")), before);
  EXPECT_EQ(callers.stop(), "");
}

TEST_F(IsolatedProductTest, TheHostEndsWithItsNode) {
  const pid_t host = host_pid(C("/server/"));
  EXPECT_EQ(server_->stop(), 0);
  EXPECT_TRUE(is_dead(host));
  EXPECT_TRUE(server_->process().err_line("fragile goes")) << "its destructor has run";
}

TEST_F(IsolatedProductTest, AKilledNodeLeavesNoHostBehind) {
  const pid_t server_host = host_pid(C("/server/"));
  const pid_t client_host = host_pid(S("/client/alpha/"));
  CurlRun busy({C("/server/loop")});  // it would not notice that its socket has gone
  ASSERT_TRUE(eventually([&] {
    return curl({"-H", "Request-Timeout: 0.2", C("/server/pid")}).status == 504;
  }));
  server_->process().signal(SIGKILL);
  client_->process().signal(SIGKILL);
  EXPECT_TRUE(eventually([&] { return is_dead(server_host) && is_dead(client_host); }));
}

class IsolateTest : public LabTest {
 protected:
  /// A server that must end by itself, with one line.
  void expect_refused(std::vector<std::string> flags, const std::string& part) {
    flags.insert(flags.end(), {"--log-level", "warning"});  // without the plugin's own lines
    Process process(node_command(Role::server, {.identity = authority_.server(), .flags = flags}));
    EXPECT_EQ(process.wait().value_or(-1), 7) << process.err();
    EXPECT_EQ(process.out(), "");
    EXPECT_EQ(lines_of(process.err()).size(), 1U) << process.err();
    EXPECT_TRUE(contains(process.err(), part)) << process.err();
  }
};

TEST_F(IsolateTest, RefusalsAreThoseOfTheNode) {
  const std::string fragile = RP_FRAGILE_PLUGIN;
  expect_refused({"--isolate", "--handlers", RP_ABI_PLUGIN}, "was built for ABI version");
  expect_refused({"--isolate", "--handlers", "/nowhere/x.so"}, "plugin /nowhere/x.so refused: ");
  for (const auto& flags : std::vector<std::vector<std::string>>{
           {"--isolate", "--handlers", fragile, "--handlers", fragile},
           {"--handlers", fragile, "--isolated", fragile}}) {
    expect_refused(flags, "plugin " + fragile +
                              " refused: method 'get_abort' belongs to another "
                              "plugin already");
  }
}

TEST_F(IsolateTest, TheBuiltInDemoStaysInTheNode) {
  start_pair({"--isolate"});
  expect_time(curl({C("/server/time")}), "time_from_server");
  EXPECT_FALSE(contains(curl({S("/metrics")}).body, "restpipe_handler_host_up{"));
}

TEST_F(IsolateTest, AReloadedLogLevelReachesTheHost) {
  const auto config = authority_.scratch("node.toml");
  write_text(config, "isolate = true\nhandlers = [\"" RP_FRAGILE_PLUGIN
                     "\"]\n[log]\nlevel = "
                     "\"info\"\n");
  server_ = make_server({.flags = {"--config", config.string()}});
  client_ = make_client();
  ASSERT_TRUE(client_->ready());
  curl({C("/server/debugged//first")});
  write_text(config, "isolate = true\nhandlers = [\"" RP_FRAGILE_PLUGIN
                     "\"]\n[log]\nlevel = "
                     "\"debug\"\n");
  server_->process().signal(SIGHUP);
  ASSERT_TRUE(server_->process().err_line("were read again"));
  EXPECT_TRUE(eventually([&] {
    curl({C("/server/debugged//second")});
    return contains(server_->log(), "text=second");
  })) << server_->log();
  EXPECT_FALSE(contains(server_->log(), "text=first"));
}

TEST_F(IsolateTest, TheCommandIsNotForPeople) {
  const auto by_hand = restpipe({"plugin-host", RP_FRAGILE_PLUGIN});
  EXPECT_EQ(by_hand.exit_code, 2);
  EXPECT_TRUE(contains(by_hand.err, "is started by a node")) << by_hand.err;
  EXPECT_FALSE(contains(restpipe({"--help"}).out, "plugin-host"));
  EXPECT_FALSE(contains(restpipe({"completion", "bash"}).out, "plugin-host"));
}

}  // namespace
}  // namespace rp::product
