#pragma once

#include <memory>
#include <string>
#include <utility>

#include "node/policy_keeper.h"
#include "pipe/event.h"

namespace rp::node {

/// A node's own handlers as the peers of its pipes may call them: what the policy allows, and
/// nothing that is meant for another node.
///
/// Local programs do not come this way: they reach other nodes only, and what they may do there is
/// for those nodes to say.
class GuardedHandlers final : public pipe::EventTarget {
 public:
  /// `self` is what the policy calls this node: a client's name, or "" for the server. References
  /// outlive this object and its calls.
  GuardedHandlers(pipe::EventTarget& handlers, PolicyKeeper& policy, std::string self)
      : handlers_(handlers), policy_(policy), self_(std::move(self)) {}

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override;

 private:
  pipe::EventTarget& handlers_;
  PolicyKeeper& policy_;
  const std::string self_;
};

}  // namespace rp::node
