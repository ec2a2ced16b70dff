#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "handlers/local/threads.h"
#include "handlers/proxy/proxy_address.h"
#include "pipe/event.h"

namespace rp::handlers {

struct ProxyOptions {
  std::string noun;  ///< where the application is mounted: "app"
  ProxyAddress address;
  std::size_t connections_max = 256;  ///< exchanges at once; more are refused
};

/// Hands events to a local HTTP/1.1 server: `GET app//a/b?c` is `GET /a/b?c` there, and its
/// response is the reply, with its own status. Bodies stream both ways. docs/handlers.md has the
/// rules.
class ProxyTarget final : public pipe::EventTarget {
 public:
  /// `threads` outlive the target and its calls.
  ProxyTarget(ProxyOptions options, Threads& threads);
  ~ProxyTarget() override;

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override;

  struct Shared;

 private:
  const std::shared_ptr<Shared> shared_;
};

}  // namespace rp::handlers
