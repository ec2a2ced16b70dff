#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "pipe/event.h"
#include "rest/request.h"

/// What a front-end adds to the events of `/client/NAME/..` before they leave.
namespace rp::node {

/// The host in a URL that means all clients, and the Event::target of such an event.
inline constexpr std::string_view kAllClients = "*";

/// A client behind the server that `peer` leads to.
class RemoteTarget final : public pipe::EventTarget {
 public:
  /// `peer` outlives this object and its calls. `client` is a name, or kAllClients.
  RemoteTarget(pipe::EventTarget& peer, std::string client)
      : peer_(peer), client_(std::move(client)) {}

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override;

 private:
  pipe::EventTarget& peer_;
  const std::string client_;
};

/// A target that gathers the replies of all clients: the event gets the time that such a request
/// has when it does not say so itself, and the Accept header, which decides the form of the answer,
/// whatever headers are forwarded.
class GatherTarget final : public pipe::EventTarget {
 public:
  /// Both references outlive submit(), `next` also the calls.
  GatherTarget(pipe::EventTarget& next, const rest::Request& request,
               std::chrono::milliseconds timeout)
      : next_(next), request_(request), timeout_(timeout) {}

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override;

 private:
  pipe::EventTarget& next_;
  const rest::Request& request_;
  const std::chrono::milliseconds timeout_;
};

}  // namespace rp::node
