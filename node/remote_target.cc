#include "node/remote_target.h"

#include <algorithm>

namespace rp::node {

std::shared_ptr<pipe::CallControl> RemoteTarget::submit(pipe::Event&& event, std::string&& body,
                                                        const pipe::Origin& origin,
                                                        std::shared_ptr<pipe::ReplySink>&& sink) {
  event.target = client_;
  return peer_.submit(std::move(event), std::move(body), std::move(origin), std::move(sink));
}

std::shared_ptr<pipe::CallControl> GatherTarget::submit(pipe::Event&& event, std::string&& body,
                                                        const pipe::Origin& origin,
                                                        std::shared_ptr<pipe::ReplySink>&& sink) {
  const bool own_time = request_.header("request-timeout") || request_.header("x-request-deadline");
  if (!own_time) event.deadline = std::min(event.deadline, pipe::Clock::now() + timeout_);
  const auto is_accept = [](const pipe::Header& header) { return header.name == "accept"; };
  const auto accept = request_.header("accept");
  if (accept && std::none_of(event.headers.begin(), event.headers.end(), is_accept)) {
    event.headers.push_back({"accept", std::string(*accept)});
  }
  return next_.submit(std::move(event), std::move(body), std::move(origin), std::move(sink));
}

}  // namespace rp::node
