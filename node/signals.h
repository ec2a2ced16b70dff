#pragma once

#include <functional>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/signal_set.hpp>

namespace rp::node {

/// The process's signals as calls: SIGTERM and SIGINT drain, a second one quits at once with exit
/// code 1, SIGHUP reloads. SIGPIPE is ignored from construction on.
///
/// Construct before other threads start. Callbacks run on `executor`. Destroying it stops
/// listening.
class Signals {
 public:
  struct Callbacks {
    std::function<void()> drain;   ///< once, at the first SIGTERM or SIGINT
    std::function<void()> reload;  ///< at each SIGHUP
  };

  Signals(boost::asio::any_io_executor executor, Callbacks callbacks);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Lets the io_context run out of work. On the executor only.
  void stop();

 private:
  void wait();

  Callbacks callbacks_;
  boost::asio::signal_set signals_;
  bool draining_ = false;
};

}  // namespace rp::node
