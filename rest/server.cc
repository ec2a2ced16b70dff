#include "rest/server.h"

#include <optional>
#include <utility>

#include "rest/acceptor.h"
#include "rest/transport.h"

namespace rp::rest {

class Server::Impl {
 public:
  Impl(ServerOptions options, Handler handler, std::vector<std::shared_ptr<pipe::IoThread>> threads)
      : options_(std::move(options)),
        handler_(std::move(handler)),
        threads_(std::move(threads)),
        guard_(options_.guard) {}

  ~Impl() { stop(); }

  std::vector<Endpoint> start() {
    acceptor_.emplace(options_, stats_,
                      [this](Arrival arrival) { transports_->hand_over(std::move(arrival)); });
    auto bound = acceptor_->bind();
    transports_.emplace(threads_, options_.limits, guard_, handler_, options_.streams_body, stats_);
    acceptor_->start();
    return bound;
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
  const std::vector<std::shared_ptr<pipe::IoThread>> threads_;
  const Guard guard_;
  Stats stats_;
  std::optional<TransportGroup> transports_;
  std::optional<Acceptor> acceptor_;  // after the transports: stops first
};

Server::Server(ServerOptions options, Handler handler,
               std::vector<std::shared_ptr<pipe::IoThread>> threads)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler), std::move(threads))) {}
Server::~Server() = default;
std::vector<Endpoint> Server::start() { return impl_->start(); }
bool Server::drain(std::chrono::milliseconds timeout) { return impl_->drain(timeout); }
void Server::stop() { impl_->stop(); }
const Stats& Server::stats() const { return impl_->stats(); }

}  // namespace rp::rest
