#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "pipe/event.h"

namespace rp::node {

/// Events whose peer has no pipe at the moment. Each waits until a fitting pipe opens, its own
/// deadline passes, its caller leaves, or the connection wait is over.
///
/// All members are safe from any thread.
class WaitingCalls : public std::enable_shared_from_this<WaitingCalls> {
 public:
  struct Options {
    std::chrono::milliseconds wait{20'000};  ///< the reference waits this long
    std::size_t calls_max = 4096;            ///< further ones are refused as overloaded
  };

  /// Timers run on `context`, which outlives this object.
  static std::shared_ptr<WaitingCalls> create(boost::asio::io_context& context, Options options);

  /// `keys` are the names or addresses under which a pipe may serve the event.
  std::shared_ptr<pipe::CallControl> add(std::vector<std::string> keys, pipe::Event event,
                                         std::string body, pipe::Origin origin,
                                         std::shared_ptr<pipe::ReplySink> sink);

  /// A pipe has opened: submits all that wait for one of `keys` to it.
  void forward(const std::vector<std::string>& keys, pipe::EventTarget& target);

  /// Fails all that wait, and from now on all that come.
  void close(pipe::Errc reason);

  std::size_t size() const;

 private:
  class Call;
  WaitingCalls(boost::asio::io_context& context, Options options)
      : context_(context), options_(options) {}

  void remove(const Call* call);

  boost::asio::io_context& context_;
  const Options options_;
  mutable std::mutex mutex_;  // guards the two below
  std::list<std::shared_ptr<Call>> calls_;
  std::optional<pipe::Errc> closed_;
};

}  // namespace rp::node
