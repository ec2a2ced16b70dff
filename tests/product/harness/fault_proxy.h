#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/product/harness/socket.h"

struct pollfd;

namespace rp::product {

/// A wire with faults between a client and a server node: takes TCP connections on 127.0.0.1 and
/// carries their bytes to `target_port`. So one machine looks like several, and a test can cut the
/// wire, or leave it open and let nothing through, on purpose or at random.
class FaultProxy {
 public:
  enum class Cut { close, reset };  ///< FIN, or RST
  enum class Way { both, to_server, to_client };

  /// Connections reach the server from `source`, an address of 127.0.0.0/8.
  explicit FaultProxy(std::uint16_t target_port, std::string source = "127.0.0.1");
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  std::uint16_t port() const { return port_of(listener_); }

  /// Breaks every connection; new ones are taken.
  void cut(Cut how = Cut::close);
  /// Cuts by either means, a random time between `least` and `most` after the last time.
  void cut_at_random(std::uint64_t seed, TestClock::duration least, TestClock::duration most);
  /// Ends that.
  void calm();

  /// What is open now stays open and passes nothing any more in that way: a half-open link, or one
  /// cut one way. New connections are served.
  void hang(Way way);
  /// While frozen, no byte passes on any connection.
  void freeze(bool frozen);

  /// New connections come from there: the client has moved.
  void come_from(std::string source);
  /// Closes the next `count` connections as soon as they are taken.
  void refuse(int count);

  /// So far: connections taken, those of them that were cut, and bytes.
  int connections() const;
  int cuts() const;
  std::uint64_t bytes_to_server() const;

 private:
  /// One direction of a connection.
  struct Flow {
    std::string waiting;  // read and not yet written; bounded
    bool hung = false;
    bool ended = false;  // the sender has closed its side
    bool moving() const { return !hung && !ended; }
  };
  struct Connection {
    Socket client;
    Socket server;
    Flow up;
    Flow down;
    bool closing = false;  // FIN is sent to both; what still comes is dropped
    bool dead = false;
  };
  struct RandomCuts {
    std::mt19937_64 random;
    TestClock::duration least;
    TestClock::duration most;
    TestClock::time_point next;
  };

  void run();
  void take_connection();
  void cut_if_due();
  void cut_all(Cut how);
  std::vector<pollfd> watched() const;
  void serve(Connection& connection);
  static std::size_t carry(const Socket& from, const Socket& to, Flow& flow,
                           Connection& connection);

  const std::uint16_t target_port_;
  Socket listener_;

  mutable std::mutex mutex_;  // guards the rest; held for one turn
  std::list<Connection> open_;
  std::string source_;
  std::optional<RandomCuts> random_cuts_;
  bool stop_ = false;
  bool frozen_ = false;
  int refuse_ = 0;
  int connections_ = 0;
  int cuts_ = 0;
  std::uint64_t to_server_ = 0;
  std::thread thread_;
};

}  // namespace rp::product
