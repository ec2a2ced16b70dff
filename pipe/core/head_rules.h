#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "pipe/event.h"

/// The rules of proto/pipe.proto for the fields of heads. They hold for what is received and for
/// what is sent.
namespace rp::pipe {

constexpr std::size_t kHeadersMax = 64;
constexpr std::size_t kDetailBytesMax = 1024;

struct CallFields {
  std::string_view verb;
  std::string_view noun;
  std::string_view query;
  std::string_view content_type;
  std::string_view request_id;
  std::string_view target;
  std::string_view caller;
};

// Each says what is wrong, in a sentence that names the field and the rule; null if nothing.
const char* wrong_in_call(const CallFields& fields) noexcept;
const char* wrong_in_reply(std::string_view content_type) noexcept;
const char* wrong_in_http_status(std::uint32_t status) noexcept;
const char* wrong_in_headers(const Headers& headers) noexcept;

}  // namespace rp::pipe
