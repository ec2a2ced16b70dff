#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "node/metrics.h"
#include "node/policy_keeper.h"
#include "pipe/event.h"
#include "server/client_lookup.h"
#include "server/gather.h"

namespace rp::server {

/// What answers the clients of a server: its own handlers, or the clients that their events are
/// meant for. An event that is passed on goes from pipe to pipe as it comes: this object holds
/// nothing of it, and the credits of its body and of its answer are those of the two ends.
///
/// Who asks is who the pipe's certificate says; what a client writes into Event::caller is not
/// looked at.
class Relay final : public pipe::EventTarget {
 public:
  struct Parts {
    pipe::EventTarget& own;  ///< the server's handlers, guarded by the policy
    ClientLookup& lookup;
    std::function<std::vector<std::string>()> names;  ///< of all clients that can be asked
    Gather& gather;
    node::PolicyKeeper& policy;
    node::Registry& metrics;
  };
  /// All of them outlive this object and its calls.
  explicit Relay(Parts parts);

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override;

 private:
  std::shared_ptr<pipe::CallControl> to_one(std::string name, pipe::Event event, std::string body,
                                            std::shared_ptr<pipe::ReplySink> sink);
  std::shared_ptr<pipe::CallControl> to_all(pipe::Event event, std::string body,
                                            std::shared_ptr<pipe::ReplySink> sink);

  const Parts parts_;
  node::Counter& relayed_;
};

}  // namespace rp::server
