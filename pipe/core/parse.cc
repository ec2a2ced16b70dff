#include "pipe/core/parse.h"

#include <google/protobuf/message_lite.h>
#include <google/protobuf/stubs/logging.h>

namespace rp::pipe {

bool parse(google::protobuf::MessageLite& message, std::string_view bytes) {
  [[maybe_unused]] static const auto previous = google::protobuf::SetLogHandler(nullptr);
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace rp::pipe
