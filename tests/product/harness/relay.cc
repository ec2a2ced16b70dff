#include "tests/product/harness/relay.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <poll.h>

namespace rp::product {
namespace {

struct Pair {
  Socket client;
  Socket server;
};

/// Moves what is there; false when one side has closed.
bool carry(const Socket& from, const Socket& to, std::atomic<std::uint64_t>* count) {
  std::string bytes;
  if (!receive_some(from, bytes, TestClock::now())) return false;
  if (count != nullptr) *count += bytes.size();
  return send_all(to, bytes);
}

}  // namespace

Relay::Relay(std::uint16_t target_port, std::string source)
    : target_port_(target_port), source_(std::move(source)), listener_(listen_on_loopback()) {
  thread_ = std::thread([this] { run(); });
}

Relay::~Relay() {
  stop_ = true;
  thread_.join();
}

void Relay::run() {
  std::vector<Pair> pairs;
  while (!stop_) {
    if (cut_.exchange(false)) pairs.clear();
    std::vector<pollfd> ready = {{listener_.fd(), POLLIN, 0}};
    if (!frozen_) {
      for (const auto& pair : pairs) {
        ready.push_back({pair.client.fd(), POLLIN, 0});
        ready.push_back({pair.server.fd(), POLLIN, 0});
      }
    }
    ::poll(ready.data(), ready.size(), 10);  // 10 ms: how soon stop, cut and freeze are seen
    std::vector<Pair> kept;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const bool watched = ready.size() > 1;
      bool alive = true;
      if (watched && ready[1 + 2 * i].revents != 0) {
        alive = carry(pairs[i].client, pairs[i].server, &to_server_);
      }
      if (alive && watched && ready[2 + 2 * i].revents != 0) {
        alive = carry(pairs[i].server, pairs[i].client, nullptr);
      }
      if (alive) kept.push_back(std::move(pairs[i]));
    }
    pairs = std::move(kept);
    if (ready[0].revents == 0) continue;
    auto client = accept_from(listener_, 0s);
    if (!client) continue;
    ++connections_;
    if (refuse_ > 0) {
      --refuse_;
      continue;
    }
    auto server = connect_to(target_port_, source_);
    if (server) pairs.push_back({std::move(*client), std::move(*server)});
  }
}

}  // namespace rp::product
