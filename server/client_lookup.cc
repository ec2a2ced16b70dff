#include "server/client_lookup.h"

#include <algorithm>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include "node/ended_call.h"
#include "node/handed_on_call.h"
#include "node/report_exception.h"

namespace rp::server {
namespace {

namespace asio = boost::asio;

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
        event_(std::move(event)),
        body_(std::move(body)),
        origin_(std::move(origin)),
        sink_(std::move(sink)) {}

  void start(const std::string& host) {
    asio::co_spawn(
        lookup_.context_, resolve(shared_from_this(), host),
        [](const std::exception_ptr& failure) { node::report_exception("server", failure); });
  }

  void cancel() override {
    HandedOnCall::cancel();
    asio::post(lookup_.context_, [self = shared_from_this()] {
      if (self->asked_ != nullptr) self->asked_->cancel();
    });
  }

 private:
  static asio::awaitable<void> resolve(std::shared_ptr<ResolvingCall> self, std::string host) {
    pipe::NameLookup lookup(self->lookup_.context_.get_executor(), self->lookup_.names_);
    self->asked_ = &lookup;
    const auto found = co_await lookup.run(host, self->time_to_ask());
    self->asked_ = nullptr;
    self->resolved(host, found);
  }

  std::chrono::milliseconds time_to_ask() const {
    const auto timeout = lookup_.resolve_timeout_;
    if (event_.deadline == pipe::Clock::time_point::max()) return timeout;
    const auto left = event_.deadline - pipe::Clock::now();
    return std::clamp(std::chrono::ceil<std::chrono::milliseconds>(left), timeout * 0, timeout);
  }

  void resolved(const std::string& host, const pipe::Result<pipe::NameService::Addresses>& found) {
    if (is_cancelled()) return;
    if (!found) {
      const auto ec = found.error();
      if (says_no_such_host(ec)) return sink_->fail(unknown_host(host));
      if (ec == asio::error::timed_out && event_.deadline <= pipe::Clock::now()) {
        return sink_->fail({pipe::Errc::deadline_exceeded,
                            "the request's time ran out while the name '" + host +
                                "' was looked up; the handler has not run",
                            true});
      }
      const std::string why = ec == asio::error::timed_out ? "it took too long" : ec.message();
      return sink_->fail(
          {pipe::Errc::resolve_failed, "the name '" + host + "' could not be resolved: " + why});
    }
    std::vector<std::string> addresses;
    for (const auto& address : *found) addresses.push_back(address.to_string());
    hand_on(lookup_.submit_to(std::move(addresses), std::move(event_), std::move(body_),
                              std::move(origin_), std::move(sink_)));
  }

  ClientLookup& lookup_;
  pipe::NameLookup* asked_ = nullptr;  // while it is under way; on the lookup's thread
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
