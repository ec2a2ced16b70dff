#include "node/guarded_handlers.h"

#include "node/ended_call.h"

namespace rp::node {

std::shared_ptr<pipe::CallControl> GuardedHandlers::submit(
    pipe::Event&& event, std::string&& body, const pipe::Origin& origin,
    std::shared_ptr<pipe::ReplySink>&& sink) {
  if (!event.target.empty()) {
    sink->fail({pipe::Errc::unknown_peer, "this node passes no events on to other nodes"});
    return ended_call();
  }
  if (!policy_.allows(origin.node, self_, event)) {
    sink->fail(PolicyKeeper::refusal());
    return ended_call();
  }
  return handlers_.submit(std::move(event), std::move(body), std::move(origin), std::move(sink));
}

}  // namespace rp::node
