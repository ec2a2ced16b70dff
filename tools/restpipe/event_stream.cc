#include "tools/restpipe/event_stream.h"

#include <utility>

namespace rp::tools {

bool EventStream::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    line_ += bytes.substr(0, end);
    if (line_.size() + event_.data.size() > kEventBytesMax) return false;
    if (end == bytes.npos) return true;
    bytes.remove_prefix(end + 1);
    std::string line = std::exchange(line_, {});
    if (line.ends_with('\r')) line.pop_back();
    take_line(line);
  }
  return true;
}

void EventStream::take_line(std::string_view line) {
  if (line.empty()) {
    const Event event = std::exchange(event_, {});
    if (std::exchange(has_data_, false)) {
      on_event_({event.name.empty() ? "message" : event.name, event.data});
    }
    return;
  }
  const auto colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") {
    event_.name = value;
  } else if (field == "data") {
    if (has_data_) event_.data += '\n';
    event_.data += value;
    has_data_ = true;
  }
}

}  // namespace rp::tools
