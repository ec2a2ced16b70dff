#include "server/client_lookup.h"

#include <algorithm>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "node/ended_call.h"
#include "node/handed_on_call.h"

namespace rp::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

/// Four groups of one to three digits, whatever their values: what the reference takes for an
/// address without asking the resolver.
bool looks_like_ipv4(std::string_view host) {
  int groups = 0;
  std::size_t digits = 0;
  for (const char c : host) {
    if (c >= '0' && c <= '9') {
      if (++digits > 3) return false;
    } else if (c == '.' && digits > 0) {
      ++groups;
      digits = 0;
    } else {
      return false;
    }
  }
  return groups == 3 && digits > 0;
}

/// RFC 6761, section 6.4: names that never resolve, and about which no resolver need be asked.
bool is_never_a_host(std::string_view host) {
  return host == "invalid" || host.ends_with(".invalid");
}

pipe::Failure unknown_host(const std::string& host) {
  return {pipe::Errc::unknown_peer,
          "no client named '" + host + "' is connected, and no host has that name"};
}

std::vector<std::string> addresses_of(const tcp::resolver::results_type& results) {
  std::vector<std::string> addresses;
  for (const auto& entry : results) {
    std::string text = entry.endpoint().address().to_string();
    if (std::find(addresses.begin(), addresses.end(), text) == addresses.end()) {
      addresses.push_back(std::move(text));
    }
  }
  return addresses;
}

bool says_no_such_host(boost::system::error_code ec) {
  return ec == asio::error::host_not_found || ec == asio::error::no_data;
}

}  // namespace

/// An event whose target's name is being resolved; then the event's further way.
class ClientLookup::ResolvingCall final : public node::HandedOnCall,
                                          public std::enable_shared_from_this<ResolvingCall> {
 public:
  ResolvingCall(ClientLookup& lookup, pipe::Event event, std::string body, pipe::Origin origin,
                std::shared_ptr<pipe::ReplySink> sink)
      : lookup_(lookup),
        resolver_(lookup.context_),
        timer_(lookup.context_),
        event_(std::move(event)),
        body_(std::move(body)),
        origin_(std::move(origin)),
        sink_(std::move(sink)) {}

  void start(const std::string& host) {
    asio::post(lookup_.context_, [self = shared_from_this(), host] {
      self->timer_.expires_after(self->lookup_.resolve_timeout_);
      self->timer_.async_wait([self](boost::system::error_code ec) {
        if (!ec) self->resolver_.cancel();
      });
      self->resolver_.async_resolve(
          host, "", [self, host](boost::system::error_code ec, tcp::resolver::results_type found) {
            self->timer_.cancel();
            self->resolved(host, ec, found);
          });
    });
  }

 private:
  void resolved(const std::string& host, boost::system::error_code ec,
                const tcp::resolver::results_type& found) {
    if (is_cancelled()) return;
    if (says_no_such_host(ec)) return sink_->fail(unknown_host(host));
    if (ec) {
      const std::string why =
          ec == asio::error::operation_aborted ? "it took too long" : ec.message();
      return sink_->fail(
          {pipe::Errc::resolve_failed, "the name '" + host + "' could not be resolved: " + why});
    }
    hand_on(lookup_.submit_to(addresses_of(found), std::move(event_), std::move(body_),
                              std::move(origin_), std::move(sink_)));
  }

  ClientLookup& lookup_;
  tcp::resolver resolver_;
  asio::steady_timer timer_;
  pipe::Event event_;
  std::string body_;
  pipe::Origin origin_;
  std::shared_ptr<pipe::ReplySink> sink_;
};

/// One host as a target.
class ClientLookup::Host final : public pipe::EventTarget {
 public:
  Host(ClientLookup& lookup, std::string host) : lookup_(lookup), host_(std::move(host)) {}

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    if (auto control = lookup_.submit_to_client(host_, event, body, origin, sink)) return control;
    if (looks_like_ipv4(host_)) {
      return lookup_.submit_to({host_}, std::move(event), std::move(body), std::move(origin),
                               std::move(sink));
    }
    if (is_never_a_host(host_)) {
      sink->fail(unknown_host(host_));
      return node::ended_call();
    }
    auto call = std::make_shared<ResolvingCall>(lookup_, std::move(event), std::move(body),
                                                std::move(origin), std::move(sink));
    call->start(host_);
    return call;
  }

 private:
  ClientLookup& lookup_;
  const std::string host_;
};

/// One identity as a target.
class ClientLookup::Client final : public pipe::EventTarget {
 public:
  Client(ClientLookup& lookup, std::string name) : lookup_(lookup), name_(std::move(name)) {}

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    if (auto control = lookup_.submit_to_client(name_, event, body, origin, sink)) return control;
    sink->fail({pipe::Errc::unknown_peer, "no client named '" + name_ + "' is connected"});
    return node::ended_call();
  }

 private:
  ClientLookup& lookup_;
  const std::string name_;
};

std::shared_ptr<pipe::EventTarget> ClientLookup::target(std::string host) {
  return std::make_shared<Host>(*this, std::move(host));
}

std::shared_ptr<pipe::EventTarget> ClientLookup::client(std::string name) {
  return std::make_shared<Client>(*this, std::move(name));
}

std::shared_ptr<pipe::CallControl> ClientLookup::submit_to_client(
    const std::string& name, pipe::Event& event, std::string& body, const pipe::Origin& origin,
    std::shared_ptr<pipe::ReplySink>& sink) {
  if (const auto target = registry_.by_name(name)) {
    return target->submit(std::move(event), std::move(body), std::move(origin), std::move(sink));
  }
  if (!registry_.is_known(name)) return nullptr;
  auto control =
      waiting_.add({name}, std::move(event), std::move(body), std::move(origin), std::move(sink));
  // It may have connected just before the wait began.
  if (const auto target = registry_.by_name(name)) waiting_.forward({name}, *target);
  return control;
}

std::shared_ptr<pipe::CallControl> ClientLookup::submit_to(std::vector<std::string> addresses,
                                                           pipe::Event event, std::string body,
                                                           pipe::Origin origin,
                                                           std::shared_ptr<pipe::ReplySink> sink) {
  const Registry::ByAddress found = registry_.by_address(addresses);
  if (found.target) {
    return found.target->submit(std::move(event), std::move(body), std::move(origin),
                                std::move(sink));
  }
  if (found.nodes.empty()) {
    auto control = waiting_.add(addresses, std::move(event), std::move(body), std::move(origin),
                                std::move(sink));
    // One may have connected just before the wait began.
    const Registry::ByAddress now = registry_.by_address(addresses);
    if (now.target) waiting_.forward(addresses, *now.target);
    return control;
  }
  std::string names;
  for (const std::string& node : found.nodes) names += (names.empty() ? "" : ", ") + node;
  sink->fail({pipe::Errc::ambiguous_peer,
              "several clients are connected from that address, use one of their names: " + names});
  return node::ended_call();
}

}  // namespace rp::server
