#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "tests/product/harness/broken_wire.h"
#include "tests/product/harness/expect.h"

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

/// A program that writes so many bytes, the same ones in every run.
std::string made_bytes(std::size_t mebibytes) {
  return "openssl enc -aes-128-ctr -nosalt -K 0123456789abcdef0123456789abcdef -iv "
         "00000000000000000000000000000000 -in /dev/zero 2> /dev/null | head -c " +
         std::to_string(mebibytes << 20);
}

std::unique_ptr<Process> shell(const std::string& line) {
  return std::make_unique<Process>(Command{.argv = {"sh", "-c", line}});
}

std::string post(std::uint16_t port, const std::string& path, std::string_view body) {
  return raw_http(port,
                  "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" +
                      "Content-Type: application/octet-stream\r\nContent-Length: " +
                      std::to_string(body.size()) + "\r\n\r\n" + std::string(body),
                  60s);
}

using FaultsTest = BrokenWireTest;

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
  const auto mebibytes = from_environment("RP_TEST_FAULT_MIB", kSanitized ? 32 : 256);
  const auto blocks = mebibytes * 16;
  const auto seed = from_environment("RP_TEST_FAULT_SEED", std::random_device{}());
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("RP_TEST_FAULT_SEED=" + std::to_string(seed));
  // Whoever is away hears of it after return_wait; this is about what they find when they return.
  start({"--return-wait", "20"});
  script("post_sha256", "exec sha256sum");
  const auto server_memory = server_->memory_kb();
  const auto client_memory = client_->memory_kb();
  wire_->cut_at_random(seed, 100ms, 1000ms);
  const auto until = TestClock::now() + std::chrono::seconds(seconds);
  const auto get = [&](const std::string& url) {
    return shell("curl -sS --fail '" + url + "' | sha256sum");
  };
  const auto put = [&](const std::string& url) {
    return shell(made_bytes(mebibytes) + " | curl -sS --fail -X POST -H Expect: -T - '" + url +
                 "'");
  };
  const auto sum = shell(made_bytes(mebibytes) + " | sha256sum");
  const std::array<std::unique_ptr<Process>, 2> replies = {
      get(C("/server/pattern//" + std::to_string(blocks))),
      get(S("/client/alpha/pattern//" + std::to_string(blocks)))};
  const std::array<std::unique_ptr<Process>, 2> uploads = {put(C("/server/sha256")),
                                                           put(S("/client/alpha/sha256"))};
  Callers from_client(*client_, "/server", "c", 4, 1 << 20);
  Callers from_server(*server_, "/client/alpha", "s", 4, 1 << 20);

  std::size_t server_peak = 0;
  std::size_t client_peak = 0;
  const auto watch = [&] {
    server_peak = std::max(server_peak, server_->memory_kb());
    client_peak = std::max(client_peak, client_->memory_kb());
    const auto ended = [](const auto& process) { return !process->running(); };
    return TestClock::now() >= until && std::all_of(replies.begin(), replies.end(), ended) &&
           std::all_of(uploads.begin(), uploads.end(), ended);
  };
  EXPECT_TRUE(eventually(std::chrono::seconds(10 * seconds + 120), watch));
  from_client.stop();
  from_server.stop();
  wire_->calm();

  const std::string expected = hash_of_pattern(blocks) + "  -\n";
  for (const auto& reply : replies) EXPECT_EQ(reply->out(), expected) << reply->err();
  EXPECT_EQ(sum->wait(60s), 0);
  for (const auto& upload : uploads) EXPECT_EQ(upload->out(), sum->out()) << upload->err();
  expect_nothing_repeated(C("/server/runs"), from_client.made());
  expect_nothing_repeated(S("/client/alpha/runs"), from_server.made());
  EXPECT_GE(wire_->cuts(), static_cast<int>(seconds / 2));
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
  EXPECT_TRUE(eventually([&] { return wire_->connections() > 1; }));
  EXPECT_LT(TestClock::now() - hung, 9s) << "the default finds out after 10 s";
  calls.expect_answers();
}

TEST_F(FaultsTest, ALinkThatIsCutOneWayIsLeftAndItsCallsGoOn) {
  for (const auto way : {FaultProxy::Way::to_server, FaultProxy::Way::to_client}) {
    start(kQuickHeartbeats);
    SlowCalls calls(C("/server"), S("/client/alpha"));
    EXPECT_TRUE(holds_for(300ms, [&] { return calls.running(); }));
    wire_->hang(way);
    EXPECT_TRUE(eventually([&] { return wire_->connections() > 1; }));
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

TEST_F(FaultsTest, AClientReturnsSoonToALinkThatBreaksAgainAndAgainAfterALongOutage) {
  start({"--return-wait", "60"});
  wire_->refuse(6);  // of the waits between attempts the last may take 3.2 s by now
  wire_->cut();
  ASSERT_TRUE(eventually([&] { return wire_->connections() == 8; }));
  expect_time(curl({S("/client/alpha/time")}), "time_from_client");
  TestClock::duration away{};
  for (int i = 0; i < 6; ++i) {
    std::this_thread::sleep_for(200ms);  // longer than the first wait of all
    const auto cut = TestClock::now();
    wire_->cut();
    expect_time(curl({S("/client/alpha/time")}), "time_from_client");
    away += TestClock::now() - cut;
  }
  EXPECT_LT(away, 12s) << "at most 0.1 s each, and the handshakes";
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

}  // namespace
}  // namespace rp::product
