#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "tests/product/harness/socket.h"

namespace rp::product {

/// A wire between a client and a server node: takes TCP connections on 127.0.0.1 and carries their
/// bytes to `target_port`, coming from `source`. So one machine looks like several, and a test can
/// cut the wire, or leave it open and let nothing through.
class Relay {
 public:
  explicit Relay(std::uint16_t target_port, std::string source = "127.0.0.1");
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  std::uint16_t port() const { return port_of(listener_); }

  /// Breaks every connection; new ones are taken.
  void cut() { cut_ = true; }

  /// While frozen, connections stay open and no byte passes, as on a half-open link.
  void freeze(bool frozen) { frozen_ = frozen; }

  /// Closes the next `count` connections as soon as they are taken.
  void refuse(int count) { refuse_ = count; }

  /// Connections taken so far.
  int connections() const { return connections_; }
  std::uint64_t bytes_to_server() const { return to_server_; }

 private:
  void run();

  const std::uint16_t target_port_;
  const std::string source_;
  Socket listener_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> cut_ = false;
  std::atomic<bool> frozen_ = false;
  std::atomic<int> refuse_ = 0;
  std::atomic<int> connections_ = 0;
  std::atomic<std::uint64_t> to_server_ = 0;
  std::thread thread_;
};

}  // namespace rp::product
