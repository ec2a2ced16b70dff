#include "rest/server.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "rest/acceptor.h"
#include "rest/transport.h"

namespace rp::rest {
namespace {

constexpr unsigned kThreadsMax = 16;  // beyond, the accept thread and memory bandwidth decide

}  // namespace

class Server::Impl {
 public:
  Impl(ServerOptions options, Handler handler)
      : options_(std::move(options)), handler_(std::move(handler)), guard_(options_.guard) {}

  ~Impl() { stop(); }

  std::vector<Endpoint> start() {
    acceptor_.emplace(options_, stats_,
                      [this](Arrival arrival) { transports_->hand_over(std::move(arrival)); });
    transports_.emplace(std::clamp(options_.threads, 1U, kThreadsMax), options_.limits, guard_,
                        handler_, options_.streams_body, stats_);
    try {
      return acceptor_->start();
    } catch (...) {
      stop();
      throw;
    }
  }

  bool drain(std::chrono::milliseconds timeout) {
    if (!transports_) return true;
    acceptor_->stop();
    transports_->begin_drain();
    const bool empty = transports_->wait_until_empty(timeout);
    stop();
    return empty;
  }

  void stop() {
    if (acceptor_) acceptor_->stop();
    if (transports_) transports_->stop();
  }

  const Stats& stats() const { return stats_; }

 private:
  const ServerOptions options_;
  const Handler handler_;
  const Guard guard_;
  Stats stats_;
  std::optional<TransportGroup> transports_;
  std::optional<Acceptor> acceptor_;  // after the transports: stops first
};

Server::Server(ServerOptions options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {}
Server::~Server() = default;
std::vector<Endpoint> Server::start() { return impl_->start(); }
bool Server::drain(std::chrono::milliseconds timeout) { return impl_->drain(timeout); }
void Server::stop() { impl_->stop(); }
const Stats& Server::stats() const { return impl_->stats(); }

}  // namespace rp::rest
