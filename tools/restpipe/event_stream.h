#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace rp::tools {

/// Reads a text/event-stream (WHATWG HTML, section 9.2.6) as it comes: events with a name and data.
/// Ids and retry hints are for programs that come back by themselves, and are passed over.
class EventStream {
 public:
  struct Event {
    std::string name;  ///< "message" where the stream names none
    std::string data;  ///< lines joined by '\n'
  };

  explicit EventStream(std::function<void(const Event&)> on_event)
      : on_event_(std::move(on_event)) {}

  /// Takes the next bytes. False when one event is longer than kEventBytesMax.
  bool feed(std::string_view bytes);

  static constexpr std::size_t kEventBytesMax = std::size_t{64} * 1024 * 1024;

 private:
  void take_line(std::string_view line);

  const std::function<void(const Event&)> on_event_;
  std::string line_;  // the beginning of one that has not ended
  Event event_;
  bool has_data_ = false;
};

}  // namespace rp::tools
