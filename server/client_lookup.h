#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "node/waiting_calls.h"
#include "pipe/event.h"
#include "pipe/name_lookup.h"
#include "server/registry.h"

namespace rp::server {

/// The host part of a URL as a target for events: an identity that is connected or known, an IPv4
/// address, or a DNS name. An address or DNS name finds the one client that is connected from
/// there; several are an error that names them, none is waited for.
class ClientLookup {
 public:
  /// References outlive this object and its lookups, which run on `context`.
  ClientLookup(Registry& registry, node::WaitingCalls& waiting, boost::asio::io_context& context,
               std::chrono::milliseconds resolve_timeout,
               std::shared_ptr<pipe::NameService> names = pipe::NameService::of_process())
      : registry_(registry),
        waiting_(waiting),
        context_(context),
        resolve_timeout_(resolve_timeout),
        names_(std::move(names)) {}

  /// The client that the host names; safe from any thread. It looks the host up when it is used.
  std::shared_ptr<pipe::EventTarget> target(std::string host);

  /// The client of that identity, and of no other: neither addresses nor DNS are asked, so that
  /// what was checked about the name holds for whoever gets the event.
  std::shared_ptr<pipe::EventTarget> client(std::string name);

  /// Whether a client of that identity has been connected since the start.
  bool knows(const std::string& name) const { return registry_.is_known(name); }

 private:
  class Host;
  class Client;
  class ResolvingCall;

  /// To the client of that identity, now or when it is back; null when no such client is known, and
  /// then nothing of the arguments is used.
  std::shared_ptr<pipe::CallControl> submit_to_client(const std::string& name, pipe::Event& event,
                                                      std::string& body, const pipe::Origin& origin,
                                                      std::shared_ptr<pipe::ReplySink>& sink);

  /// Those connected from one of the addresses, or who may yet connect.
  std::shared_ptr<pipe::CallControl> submit_to(std::vector<std::string> addresses,
                                               pipe::Event event, std::string body,
                                               pipe::Origin origin,
                                               std::shared_ptr<pipe::ReplySink> sink);

  Registry& registry_;
  node::WaitingCalls& waiting_;
  boost::asio::io_context& context_;
  const std::chrono::milliseconds resolve_timeout_;
  const std::shared_ptr<pipe::NameService> names_;
};

}  // namespace rp::server
