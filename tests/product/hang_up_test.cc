#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>

#include <gtest/gtest.h>

#include "tests/product/harness/application.h"
#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"

/// A caller that hangs up reaches whatever answers it, on the other node, within 100 ms.
namespace rp::product {
namespace {

// Both note when they hear of it, in nanoseconds of the monotonic clock that all processes share.
constexpr const char* kExecutable = R"PY(#!/usr/bin/env python3
import os, signal, sys, time

def end(*unused):
    heard = time.monotonic_ns()
    with open("../" + sys.argv[1] + ".ended", "w") as file:
        print(heard, file=file)
    os._exit(0)

signal.signal(signal.SIGTERM, end)
open("../" + sys.argv[1] + ".begun", "w").close()
while True:
    signal.pause()
)PY";

constexpr std::string_view kApplication = R"PY(
class Application(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        open("." + self.path + ".begun", "w").close()
        self.connection.recv(1)
        heard = time.monotonic_ns()
        with open("." + self.path + ".ended", "w") as file:
            print(heard, file=file)
        self.close_connection = True
)PY";

class HangUpTest : public LabTest {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(methods());
    write_executable(methods() / "get_listen", kExecutable);
    application_.emplace(authority_.scratch(""), kApplication);
    start_pair({"--handlers", RP_COUNTING_PLUGIN, "--exec", methods().string(), "--proxy",
                "app=" + application_->origin()});
  }

  std::filesystem::path file(const std::string& name) const { return authority_.scratch(name); }
  std::vector<std::string> ways() const { return {C("/server/"), S("/client/alpha/")}; }

  /// Each attempt has a name of its own. `begun` tells that the call runs, `ended` when its handler
  /// heard of the end, or 0.
  void expect_heard(const std::function<std::string(const std::string& name)>& url,
                    const std::function<bool(const std::string& name)>& begun,
                    const std::function<std::int64_t(const std::string& name)>& ended) {
    const auto hang_up = [&] {
      const auto name = "a" + std::to_string(++names_);
      auto call = std::make_unique<CurlRun>(std::vector<std::string>{url(name)});
      EXPECT_TRUE(eventually([&] { return begun(name); })) << url(name);
      const auto hung_up = TestClock::now();
      call.reset();  // curl is killed
      std::int64_t heard = 0;
      EXPECT_TRUE(eventually([&] { return (heard = ended(name)) != 0; })) << url(name);
      return TestClock::time_point(std::chrono::nanoseconds(heard)) - hung_up;
    };
    EXPECT_LT(quickest(100ms, hang_up), 100ms);
  }
  /// The same for what leaves files behind.
  void expect_heard(const std::function<std::string(const std::string& name)>& url) {
    expect_heard(
        url, [&](const auto& name) { return std::filesystem::exists(file(name + ".begun")); },
        [&](const auto& name) {
          const auto text = read_text(file(name + ".ended"));
          return text.ends_with('\n') ? std::atoll(text.c_str()) : 0;
        });
  }

  int names_ = 0;
  std::optional<Application> application_;
};

TEST_F(HangUpTest, ReachesAPlugin) {
  for (const auto& way : ways()) {
    const auto asked = [&](const std::string& what) { return curl({way + what}).body; };
    expect_heard([&](const auto& name) { return way + "wait//" + name; },
                 [&](const auto& name) { return asked("runs/of//" + name) == "1"; },
                 [&](const auto& name) { return std::atoll(asked("left/at//" + name).c_str()); });
  }
}

TEST_F(HangUpTest, ReachesAnExecutable) {
  for (const auto& way : ways()) {
    expect_heard([&](const auto& name) { return way + "listen//" + name; });
  }
}

TEST_F(HangUpTest, ReachesAnApplication) {
  for (const auto& way : ways()) {
    expect_heard([&](const auto& name) { return way + "app//" + name; });
  }
}

}  // namespace
}  // namespace rp::product
