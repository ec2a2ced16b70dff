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

#include "pipe/event.h"
#include "rest/connection.h"

namespace rp::rest {

/// What the connections of all threads share; outlives them.
struct Shared {
  const Limits& limits;
  const Guard& guard;
  const Handler& handler;
  const Gate::Streams& streams_body;
  Stats& stats;
  std::mutex mutex;
  std::condition_variable closed_one;  ///< with mutex: a connection has closed
};

/// The connections of one thread, by descriptor: brings them what their exchanges have to say,
/// flushes and closes them at the end of each step, and sweeps their deadlines. What touches the
/// event loop is left to the class that derives from it.
class ConnectionSet : public TransportPort, public ExchangeOwner {
 public:
  ConnectionSet(Shared& shared, std::shared_ptr<pipe::IoThread> thread);
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
  using Key = ConnectionKey;

  /// Takes the descriptor out of the event loop and closes it.
  virtual void remove(int fd) = 0;
  /// Calls on_timer() then, and not at the time it was asked for before.
  virtual void wake_at(pipe::Clock::time_point at) = 0;
  /// Looks at take_reads() in a later turn of the event loop.
  virtual void read_later() = 0;

  Connection* find(int fd) const;
  Connection* find(Key key) const;
  void add(int fd, Arrival arrival);
  /// Tells the connection that it is over and forgets it; the descriptor is not touched.
  void forget(Connection& connection);

  /// Whatever happens to connections happens in a step, which ends with flushing and closing.
  template <class F>
  void step(F f) {
    now = pipe::Clock::now();
    f();
    end_step();
  }
  /// Delivers what became ready and flushes, until nothing new comes of it.
  void settle();
  /// Does what is due by the clock.
  void on_timer();
  /// The connections that are to be read on.
  std::vector<Key> take_reads() { return std::exchange(reads_, {}); }

 private:
  static Key key_of(const Connection& connection) { return {connection.fd(), connection.id()}; }
  void end_step();
  void close_due();
  void sweep();
  void deliver(Exchange& exchange);
  void arm_timer();

  void deliver_ready() override;
  void on_orphan(Key key) override;

  Shared& shared_;
  const std::chrono::milliseconds sweep_interval_;

  std::vector<std::unique_ptr<Connection>> connections_;  ///< by descriptor
  std::size_t open_ = 0;                                  ///< how many there are
  std::uint64_t next_id_ = 1;

  std::vector<Key> flushes_;
  std::vector<Key> closes_;
  std::vector<Key> reads_;
  std::deque<std::pair<pipe::Clock::time_point, Key>> graces_;  ///< in the order of their due time
  pipe::Clock::time_point next_sweep_{};
};

}  // namespace rp::rest
