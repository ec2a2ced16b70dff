#include "server/relay.h"

#include <utility>
#include <vector>

#include "node/ended_call.h"
#include "node/remote_target.h"
#include "pipe/log.h"

namespace rp::server {
namespace {

std::shared_ptr<pipe::CallControl> refuse(pipe::ReplySink& sink, pipe::Failure failure) {
  sink.fail(std::move(failure));
  return node::ended_call();
}

}  // namespace

Relay::Relay(Parts parts)
    : parts_(std::move(parts)),
      relayed_(parts_.metrics.counter("restpipe_relayed_calls_total",
                                      "Events passed from one client to another, or to all.")) {}

std::shared_ptr<pipe::CallControl> Relay::submit(pipe::Event&& event, std::string&& body,
                                                 const pipe::Origin& origin,
                                                 std::shared_ptr<pipe::ReplySink>&& sink) {
  if (event.target.empty()) {
    event.caller.clear();
    return parts_.own.submit(std::move(event), std::move(body), std::move(origin), std::move(sink));
  }
  std::string target = std::exchange(event.target, {});
  event.caller = std::move(origin.node);
  if (log_enabled(LogLevel::debug)) {
    log(LogLevel::debug, "calls", "Event to pass on",
        {{"request_id", event.request_id},
         {"peer", event.caller},
         {"target", target},
         {"verb", event.verb},
         {"noun", event.noun}});
  }
  if (target == node::kAllClients)
    return to_all(std::move(event), std::move(body), std::move(sink));
  return to_one(std::move(target), std::move(event), std::move(body), std::move(sink));
}

std::shared_ptr<pipe::CallControl> Relay::to_one(std::string name, pipe::Event event,
                                                 std::string body,
                                                 std::shared_ptr<pipe::ReplySink> sink) {
  // With rules of the operator a refusal does not tell whether that client exists. Without them
  // there is nothing to hide: a name that nobody has is a path that nobody serves.
  if (parts_.policy.is_built_in() && !parts_.lookup.knows(name)) {
    return refuse(*sink, {pipe::Errc::unknown_peer, "no client named '" + name + "' is known"});
  }
  if (!parts_.policy.allows(event.caller, name, event)) {
    return refuse(*sink, node::PolicyKeeper::refusal());
  }
  relayed_.add();
  return parts_.lookup.client(std::move(name))
      ->submit(std::move(event), std::move(body), {}, std::move(sink));
}

std::shared_ptr<pipe::CallControl> Relay::to_all(pipe::Event event, std::string body,
                                                 std::shared_ptr<pipe::ReplySink> sink) {
  // Of those that the caller may not ask it does not even hear the names.
  std::vector<std::string> names = parts_.names();
  const bool anybody = !names.empty();
  std::erase_if(names, [&](const std::string& name) {
    return !parts_.policy.allows(event.caller, name, event);
  });
  if (anybody && names.empty()) return refuse(*sink, node::PolicyKeeper::refusal());
  relayed_.add();
  return parts_.gather.submit(std::move(names), std::move(event), std::move(body), std::move(sink));
}

}  // namespace rp::server
