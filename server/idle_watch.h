#pragma once

#include <chrono>
#include <cstddef>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "handlers/plugin_set.h"

namespace rp::server {

/// Tells plugins that no client is connected: as soon as it is so, then every minute.
class IdleWatch {
 public:
  /// Runs on `context`. Both outlive the watch.
  IdleWatch(boost::asio::io_context& context, handlers::PluginSet& plugins)
      : context_(context), plugins_(plugins), timer_(context) {}

  /// The number of clients has changed, or is known for the first time. From any thread.
  void count_changed(std::size_t clients);

 private:
  void tell();

  static constexpr std::chrono::seconds kInterval{60};  // the reference's

  boost::asio::io_context& context_;
  handlers::PluginSet& plugins_;
  boost::asio::steady_timer timer_;
  bool idle_ = false;
  std::chrono::steady_clock::time_point since_;
  std::chrono::system_clock::time_point since_wall_;
};

}  // namespace rp::server
