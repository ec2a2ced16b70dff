#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "rest/connection.h"

namespace rp::rest {

/// What all transport threads share; outlives them.
struct Shared {
  const Limits& limits;
  const Guard& guard;
  const Handler& handler;
  const Gate::Streams& streams_body;
  Stats& stats;
  std::mutex mutex;
  std::condition_variable closed_one;  ///< with mutex: a connection has closed
};

/// The connections of one transport thread, by descriptor: brings posted work to them, flushes and
/// closes them at the end of each step, and sweeps their deadlines. What touches the event loop is
/// left to the class that derives from it.
class ConnectionSet : public TransportPort {
 public:
  explicit ConnectionSet(Shared& shared);
  ~ConnectionSet() override;
  ConnectionSet(const ConnectionSet&) = delete;
  ConnectionSet& operator=(const ConnectionSet&) = delete;

  void flush_soon(Connection& connection) override { flushes_.push_back(key_of(connection)); }
  void close_soon(Connection& connection) override { closes_.push_back(key_of(connection)); }
  void read_soon(Connection& connection) override { reads_.push_back(key_of(connection)); }
  void sweep_after_grace(Connection& connection) override;

  /// Connections close after their answer from now on, and idle ones at once.
  void drain();
  /// Closes everything, and the mailbox.
  void close_all();

 protected:
  /// Names a connection across the reuse of its descriptor.
  struct Key {
    int fd;
    std::uint64_t id;
  };

  /// Takes a new descriptor into the event loop.
  virtual void adopt(Arrival arrival) = 0;
  /// Takes the descriptor out of the event loop and closes it.
  virtual void remove(int fd) = 0;

  Connection* find(int fd) const;
  Connection* find(Key key) const;
  void add(Arrival arrival);
  /// Tells the connection that it is over and forgets it; the descriptor is not touched.
  void forget(Connection& connection);

  int timer_fd() const { return timer_fd_; }
  /// Does what other threads have posted.
  void take_posted();
  /// Does what is due by the clock.
  void on_timer();
  /// Delivers what became ready on this thread and flushes, until nothing new comes of it.
  void settle();
  /// Closes what close_soon() named.
  void close_due();
  /// The connections that are to be read in this round.
  std::vector<Key> take_reads() { return std::exchange(reads_, {}); }
  bool has_reads() const { return !reads_.empty(); }

 private:
  static Key key_of(const Connection& connection) { return {connection.fd(), connection.id()}; }
  void deliver(Exchange& exchange);
  void arm_timer();

  Shared& shared_;
  const int timer_fd_;
  const std::chrono::milliseconds sweep_interval_;

  std::vector<std::unique_ptr<Connection>> connections_;  ///< by descriptor
  std::size_t open_ = 0;                                  ///< how many there are
  std::uint64_t next_id_ = 1;

  Mailbox::Batch batch_;
  std::vector<Key> flushes_;
  std::vector<Key> closes_;
  std::vector<Key> reads_;
  std::deque<std::pair<pipe::Clock::time_point, Key>> graces_;  ///< in the order of their due time
  pipe::Clock::time_point next_sweep_{};
};

}  // namespace rp::rest
