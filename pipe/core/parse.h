#pragma once

#include <string_view>

namespace google::protobuf {
class MessageLite;
}

namespace rp::pipe {

/// Whether `bytes` are a message of that kind. The library's own lines about bad input are off:
/// they would reach stderr past our log, as many as a peer likes.
bool parse(google::protobuf::MessageLite& message, std::string_view bytes);

}  // namespace rp::pipe
