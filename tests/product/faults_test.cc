#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <signal.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/fault_proxy.h"
#include "tests/product/harness/lab.h"

/// Calls and streams over a wire that breaks: nothing fails, nothing runs twice.
namespace rp::product {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // their shadow memory is no part of the node
#else
constexpr bool kSanitized = false;
#endif

std::size_t from_environment(const char* variable, std::size_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoul(text, nullptr, 10);
}

/// SHA-256 of what the pattern method streams, in hexadecimal.
std::string hash_of_pattern(std::size_t blocks) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(),
                                                                     &EVP_MD_CTX_free);
  EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr);
  for (std::size_t i = 0; i < blocks; ++i) {
    std::string block;
    while (block.size() < 65'536) block += "block " + std::to_string(1'000'000'000 + i);
    EVP_DigestUpdate(hash.get(), block.data(), block.size());
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(hash.get(), digest, &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

std::string post(std::uint16_t port, const std::string& path, std::string_view body) {
  return raw_http(port,
                  "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" +
                      "Content-Type: application/octet-stream\r\nContent-Length: " +
                      std::to_string(body.size()) + "\r\n\r\n" + std::string(body),
                  60s);
}

class FaultsTest : public LabTest {
 protected:
  /// A server and a client with a wire between them that can be broken.
  void start(std::vector<std::string> flags = {}) {
    flags.insert(flags.end(), {"--handlers", RP_COUNTING_PLUGIN, "--handlers", RP_PARITY_PLUGIN,
                               "--handlers", RP_DEMO_PLUGIN});
    flags_ = flags;
    server_ = make_server({.flags = flags});
    wire_.emplace(server_->pipe_port());
    client_ = make_client({.flags = flags, .pipe_port = wire_->port()});
    ASSERT_TRUE(client_->ready());
    ASSERT_TRUE(server_knows("alpha"));
  }

  std::vector<std::string> flags_;
  std::optional<FaultProxy> wire_;
};

/// Callers on both nodes, each of which posts bodies of all sizes, one after the other, and looks
/// at the answers.
class Callers {
 public:
  Callers(Node& node, std::string prefix, std::string name, int count, std::size_t bytes_max) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back(
          [this, port = node.rest_port(), prefix, bytes_max, id = name + "-" + std::to_string(i)] {
            call_until_stopped(port, prefix, id, bytes_max);
          });
    }
  }
  ~Callers() { stop(); }

  void stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  int made() const { return made_; }

 private:
  void call_until_stopped(std::uint16_t port, const std::string& prefix, const std::string& id,
                          std::size_t bytes_max) {
    std::mt19937_64 random(std::hash<std::string>()(id));
    for (int n = 0; !stop_; ++n) {
      // As many bodies below a KiB as between 64 KiB and a MiB.
      const auto bits = std::uniform_int_distribution<int>(0, 20)(random);
      const std::size_t bytes = std::min<std::size_t>(bytes_max, random() & ((1ULL << bits) - 1));
      const std::string body(bytes, static_cast<char>('a' + n % 26));
      const std::string path = prefix + "/run//" + id + "-" + std::to_string(n);
      const std::string answer = post(port, path, body);
      ++made_;
      EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n" + body))
          << path << " with " << bytes << " bytes: " << answer.substr(0, 700);
    }
  }

  std::atomic<bool> stop_ = false;
  std::atomic<int> made_ = 0;
  std::vector<std::thread> threads_;
};

void expect_nothing_repeated(const std::string& runs_url, int made) {
  EXPECT_EQ(curl({runs_url}).body, "{\"ids\": " + std::to_string(made) + ", \"repeated\": 0}");
}

/// RP_TEST_FAULT_SECONDS and RP_TEST_FAULT_MIB make it longer and larger.
TEST_F(FaultsTest, NothingIsLostOrRepeatedWhileTheWireIsCutAllTheTime) {
  const auto seconds = from_environment("RP_TEST_FAULT_SECONDS", 8);
  const auto blocks = from_environment("RP_TEST_FAULT_MIB", 64) * 16;
  const auto seed = from_environment("RP_TEST_FAULT_SEED", std::random_device{}());
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("RP_TEST_FAULT_SEED=" + std::to_string(seed));
  start();
  const auto server_memory = server_->memory_kb();
  const auto client_memory = client_->memory_kb();
  wire_->cut_at_random(seed, 100ms, 1000ms);
  const auto until = TestClock::now() + std::chrono::seconds(seconds);
  const auto hash = [&](const std::string& url) {
    return std::make_unique<Process>(
        Command{.argv = {"sh", "-c", "curl -sS --fail '" + url + "' | sha256sum"}});
  };
  const auto down = hash(C("/server/pattern//" + std::to_string(blocks)));
  const auto up = hash(S("/client/alpha/pattern//" + std::to_string(blocks)));
  Callers from_client(*client_, "/server", "c", 4, 1 << 20);
  Callers from_server(*server_, "/client/alpha", "s", 4, 1 << 20);

  std::size_t server_peak = 0;
  std::size_t client_peak = 0;
  const auto watch = [&] {
    server_peak = std::max(server_peak, server_->memory_kb());
    client_peak = std::max(client_peak, client_->memory_kb());
    return TestClock::now() >= until && !up->running() && !down->running();
  };
  EXPECT_TRUE(eventually(std::chrono::seconds(10 * seconds + 120), watch));
  from_client.stop();
  from_server.stop();
  wire_->calm();

  const std::string expected = hash_of_pattern(blocks) + "  -\n";
  EXPECT_EQ(down->out(), expected) << down->err();
  EXPECT_EQ(up->out(), expected) << up->err();
  expect_nothing_repeated(C("/server/runs"), from_client.made());
  expect_nothing_repeated(S("/client/alpha/runs"), from_server.made());
  EXPECT_GE(wire_->cuts(), static_cast<int>(seconds));
  EXPECT_GE(from_client.made(), 20);
  EXPECT_GE(from_server.made(), 20);
  if (!kSanitized) {
    // Two session windows of 16 MiB each way, kept until acknowledged, and the bodies of calls.
    constexpr std::size_t kGrowthMaxKb = 96 * 1024;
    EXPECT_LT(server_peak, server_memory + kGrowthMaxKb);
    EXPECT_LT(client_peak, client_memory + kGrowthMaxKb);
  }
  std::cout << wire_->cuts() << " cuts, " << from_client.made() << " + " << from_server.made()
            << " calls, memory " << server_memory << " -> " << server_peak << " KB and "
            << client_memory << " -> " << client_peak << " KB, seed " << seed << "\n";
}

// ---- One fault at a time -----------------------------------------------------------------------

const std::vector<std::string> kQuickHeartbeats = {"--heartbeat-interval", "0.5"};

/// A call from each node that is answered only after the fault.
class SlowCalls {
 public:
  SlowCalls(const std::string& to_server, const std::string& to_client)
      : to_server_({to_server + "/sleep//4"}), to_client_({to_client + "/sleep//4"}) {}

  bool running() { return to_server_.running() && to_client_.running(); }
  void expect_answers() {
    expect_reply(to_server_.finish(), "0", "application/json", "slept");
    expect_reply(to_client_.finish(), "0", "application/json", "slept");
  }

 private:
  CurlRun to_server_;
  CurlRun to_client_;
};

TEST_F(FaultsTest, CallsThatSayNothingForLongOutliveManyCuts) {
  start();
  SlowCalls calls(C("/server"), S("/client/alpha"));
  EXPECT_TRUE(holds_for(300ms, [&] { return calls.running(); }));
  wire_->cut_at_random(std::random_device{}(), 100ms, 1000ms);
  calls.expect_answers();
  EXPECT_GE(wire_->cuts(), 3);
}

TEST_F(FaultsTest, AHalfOpenLinkIsLeftAndItsCallsGoOn) {
  start(kQuickHeartbeats);
  SlowCalls calls(C("/server"), S("/client/alpha"));
  EXPECT_TRUE(holds_for(300ms, [&] { return calls.running(); }));
  wire_->hang(FaultProxy::Way::both);
  const auto hung = TestClock::now();
  EXPECT_TRUE(eventually(10s, [&] { return wire_->connections() > 1; }));
  EXPECT_LT(TestClock::now() - hung, 5s) << "interval and timeout are 1.5 s together";
  calls.expect_answers();
}

TEST_F(FaultsTest, ALinkThatIsCutOneWayIsLeftAndItsCallsGoOn) {
  for (const auto way : {FaultProxy::Way::to_server, FaultProxy::Way::to_client}) {
    start(kQuickHeartbeats);
    SlowCalls calls(C("/server"), S("/client/alpha"));
    EXPECT_TRUE(holds_for(300ms, [&] { return calls.running(); }));
    wire_->hang(way);
    EXPECT_TRUE(eventually(10s, [&] { return wire_->connections() > 1; }));
    calls.expect_answers();
    client_.reset();
    server_.reset();
  }
}

TEST_F(FaultsTest, AClientThatComesFromAnotherAddressGoesOn) {
  start();
  SlowCalls calls(C("/server"), S("/client/alpha"));
  EXPECT_TRUE(holds_for(300ms, [&] { return calls.running(); }));
  wire_->come_from("127.0.0.3");
  wire_->cut(FaultProxy::Cut::reset);
  calls.expect_answers();
  expect_time(curl({S("/client/127.0.0.3/time")}), "time_from_client");
  for (const auto& url : {C("/metrics"), S("/metrics")}) {
    const auto metrics = curl({url}).body;
    EXPECT_TRUE(contains(metrics, "\nrestpipe_pipe_resumes_total 1\n")) << metrics;
    EXPECT_TRUE(contains(metrics, "\nrestpipe_sessions_detached 0\n")) << metrics;
  }
  EXPECT_TRUE(contains(curl({C("/server/origin")}).body, "\"127.0.0.3\""));
}

TEST_F(FaultsTest, CallsOutliveAnOutageOfTheServersAddress) {
  start({"--return-wait", "30"});
  SlowCalls calls(C("/server"), S("/client/alpha"));
  EXPECT_TRUE(holds_for(300ms, [&] { return calls.running(); }));
  wire_->refuse(1000);
  wire_->cut();
  ASSERT_TRUE(server_forgets("alpha"));
  CurlRun meanwhile({C("/server/run//meanwhile"), "-d", "x"});
  EXPECT_TRUE(holds_for(3s, [&] { return calls.running() && meanwhile.running(); }));
  wire_->refuse(0);
  calls.expect_answers();
  EXPECT_EQ(meanwhile.finish().body, "x");
}

// ---- The other process is another one ----------------------------------------------------------

void expect_may_have_run(const Response& response) {
  EXPECT_EQ(response.status, 502);
  EXPECT_TRUE(contains(response.body, "\"session_lost\"")) << response.body;
  EXPECT_TRUE(contains(response.body, "\"may_have_run\":true")) << response.body;
}

class RestartTest : public FaultsTest {
 protected:
  /// Another server process where the last one was; the client finds it by the same wire.
  void replace_server() {
    server_->process().signal(SIGKILL);
    server_->process().wait(5s);
    restart_server(flags_);
  }
};

TEST_F(RestartTest, AWrittenCallFailsAndSaysThatItMayHaveRun) {
  start();
  CurlRun written({C("/server/sleep//20")});
  EXPECT_TRUE(holds_for(300ms, [&] { return written.running(); }));
  replace_server();
  expect_may_have_run(written.finish());
}

TEST_F(RestartTest, AWrittenCallOfTheServerFailsWhenAnotherClientProcessComes) {
  start({"--return-wait", "60"});
  CurlRun written({S("/client/alpha/sleep//20")});
  EXPECT_TRUE(holds_for(300ms, [&] { return written.running(); }));
  client_->process().signal(SIGKILL);
  client_->process().wait(5s);
  client_ = make_client({.flags = flags_, .pipe_port = wire_->port()});
  expect_may_have_run(written.finish());
}

TEST_F(RestartTest, AnAnswerThatIsLostWithItsProcessIsSaidToBePossible) {
  start();
  const auto observer =
      make_client({.identity = authority_.client("beta"), .pipe_port = server_->pipe_port()});
  const auto runs = [&] { return curl({observer->base() + "/server/runs/of//answered"}).body; };
  wire_->hang(FaultProxy::Way::to_client);
  CurlRun answered({C("/server/run//answered"), "-d", "x"});
  ASSERT_TRUE(eventually(5s, [&] { return runs() == "1"; }));
  EXPECT_TRUE(answered.running());
  replace_server();
  wire_->cut();
  expect_may_have_run(answered.finish());
  EXPECT_EQ(runs(), "0") << "the new process was asked again";
}

TEST_F(RestartTest, ACallThatIsMadeMeanwhileRunsOnTheNewProcess) {
  start();
  wire_->refuse(1000);
  server_->process().signal(SIGKILL);
  server_->process().wait(5s);
  ASSERT_TRUE(client_->unready());
  CurlRun waiting({C("/server/run//waiting"), "-d", "x"});
  EXPECT_TRUE(holds_for(300ms, [&] { return waiting.running(); }));
  restart_server(flags_);
  wire_->refuse(0);
  EXPECT_EQ(waiting.finish().body, "x");
  EXPECT_EQ(curl({C("/server/runs/of//waiting")}).body, "1");
}

TEST_F(RestartTest, CallsThatWereNotWrittenRunOnTheNewProcessAndTheOthersFail) {
  start();
  wire_->hang(FaultProxy::Way::to_server);
  // More than the sockets between the two hold: the last calls wait inside the client.
  const std::string body(60'000, 'b');
  std::vector<Socket> callers;
  for (int i = 0; i < 400; ++i) {
    callers.push_back(connect_to(client_->rest_port()).value());
    ASSERT_TRUE(send_all(callers.back(), "POST /server/run//many-" + std::to_string(i) +
                                             " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close"
                                             "\r\nContent-Length: 60000\r\n\r\n" +
                                             body));
  }
  replace_server();
  wire_->cut();
  int ran = 0;
  int lost = 0;
  for (const Socket& caller : callers) {
    std::string answer;
    const auto deadline = TestClock::now() + 30s;
    while (receive_some(caller, answer, deadline)) {
    }
    ran += answer.starts_with("HTTP/1.1 200 ") ? 1 : 0;
    lost += contains(answer, "\"session_lost\"") ? 1 : 0;
  }
  EXPECT_EQ(ran + lost, 400);
  EXPECT_GT(ran, 0);
  EXPECT_GT(lost, 0);
  expect_nothing_repeated(C("/server/runs"), ran);
}

TEST_F(RestartTest, AStreamBreaksOffVisibly) {
  start();
  CurlRun stream({"-N", "--limit-rate", "1M", C("/server/pattern//1000")});
  EXPECT_TRUE(holds_for(500ms, [&] { return stream.running(); }));
  replace_server();
  const auto response = stream.finish();
  EXPECT_NE(response.exit_code, 0) << "curl takes it for complete";
  EXPECT_LT(response.body.size(), 1000u * 65'536);
}

TEST_F(RestartTest, ACallWithAnIdempotencyKeyIsRepeated) {
  start();
  CurlRun keyed({"-H", "Idempotency-Key: once", C("/server/sleep//2")});
  EXPECT_TRUE(holds_for(300ms, [&] { return keyed.running(); }));
  replace_server();
  expect_reply(keyed.finish(), "0", "application/json", "slept");
}

}  // namespace
}  // namespace rp::product
