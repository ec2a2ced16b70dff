#include "handlers/proxy/proxy_target.h"

#include <utility>

#include "handlers/proxy/proxy_call.h"

namespace rp::handlers {

ProxyTarget::ProxyTarget(ProxyOptions options, Threads& threads)
    : shared_(std::make_shared<Shared>(std::move(options), threads)) {}

ProxyTarget::~ProxyTarget() = default;

std::shared_ptr<pipe::CallControl> ProxyTarget::submit(pipe::Event&& event, std::string&& body,
                                                       const pipe::Origin& origin,
                                                       std::shared_ptr<pipe::ReplySink>&& sink) {
  auto call = std::make_shared<ProxyCall>(shared_, std::move(event), std::move(body),
                                          std::move(origin), std::move(sink));
  call->launch();
  return call;
}

}  // namespace rp::handlers
