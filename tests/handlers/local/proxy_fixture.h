#pragma once

#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include "handlers/proxy/proxy_target.h"
#include "tests/handlers/local/fixture.h"
#include "tests/handlers/local/scripted_app.h"

namespace rp::handlers {

inline constexpr const char* kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Answers every request on a connection alike.
inline ScriptedApp::Script always(const std::string& response) {
  return [response](AppConnection& app) {
    while (!app.read_head().empty()) app.send(response);
  };
}

/// A proxy target at `app`, and an application that does as its script says.
class ProxyTest : public LocalTest {
 protected:
  void SetUp() override { std::signal(SIGPIPE, SIG_IGN); }  // as a node has it
  void TearDown() override { target_.reset(); }

  void serve(ScriptedApp::Script script) {
    app_ = std::make_unique<ScriptedApp>(std::move(script));
    mount({"", app_->port(), ""});
  }
  void mount(ProxyAddress address, std::size_t connections_max = 256) {
    if (!address.is_unix()) address.host = "127.0.0.1";
    target_ =
        std::make_unique<ProxyTarget>(ProxyOptions{"app", address, connections_max}, threads_);
  }

  Asked call(pipe::Event event, std::string body = {}) {
    return ask(*target_, std::move(event), std::move(body));
  }
  Asked answered(const std::string& verb, const std::string& noun, std::string body = {}) {
    auto asked = call(make_event(verb, noun), std::move(body));
    EXPECT_TRUE(asked->wait_done()) << verb << ' ' << noun;
    return asked;
  }
  static std::string header(const Asked& asked, const std::string& name) {
    std::string found;
    for (const auto& h : asked->head().headers) {
      if (h.name == name) found += (found.empty() ? "" : "|") + h.value;
    }
    return found;
  }
  std::string authority() const { return "127.0.0.1:" + std::to_string(app_->port()); }

  std::unique_ptr<ScriptedApp> app_;
  std::unique_ptr<ProxyTarget> target_;
};

}  // namespace rp::handlers
