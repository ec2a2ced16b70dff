#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "pipe/event.h"

namespace rp::server {

/// The bounds of gathered answers. A reply beyond one of them becomes an error entry; the others
/// are not touched.
struct GatherLimits {
  std::chrono::milliseconds timeout{10'000};  ///< where the event has no deadline of its own
  std::size_t clients_at_once_max = 256;      ///< asked and unanswered, in one gather
  std::size_t reply_bytes_max = std::size_t{1} << 20;     ///< of one client's reply
  std::size_t replies_bytes_max = std::size_t{16} << 20;  ///< held by one gather
  std::size_t request_bytes_max = std::size_t{64} << 20;  ///< the body that all clients get
  std::size_t copies_bytes_max = std::size_t{64} << 20;   ///< of that body, on their way at once
  std::size_t held_bytes_max = std::size_t{256} << 20;    ///< bodies and replies of all gathers
  std::size_t gathers_max = 64;                           ///< under way; more are overloaded
};

/// Asks many clients the same and makes one answer of their replies: a JSON object from name to
/// reply, or with `Accept: application/x-ndjson` a line for each reply as it comes. It always comes
/// to an end: who has not replied shortly before the event's deadline is listed with an error.
///
/// Safe from any thread.
class Gather {
 public:
  /// The way to one client, whether it is connected at this moment or not. Called from any thread;
  /// never null.
  using FindClient = std::function<std::shared_ptr<pipe::EventTarget>(const std::string& name)>;

  /// Timers run on `context`, which outlives this object and every call.
  Gather(boost::asio::io_context& context, FindClient find, GatherLimits limits);

  /// Asks the clients `names`. Event::target is ignored; the rest of the event, its caller
  /// included, goes to each of them.
  std::shared_ptr<pipe::CallControl> submit(std::vector<std::string> names, pipe::Event event,
                                            std::string body,
                                            std::shared_ptr<pipe::ReplySink> sink);

 private:
  class Call;

  /// What all gathers hold together; shared with calls that outlive this object.
  struct Held {
    std::atomic<std::size_t> gathers{0};
    std::atomic<std::size_t> bytes{0};
  };

  boost::asio::io_context& context_;
  const FindClient find_;
  const GatherLimits limits_;
  const std::shared_ptr<Held> held_ = std::make_shared<Held>();
};

}  // namespace rp::server
