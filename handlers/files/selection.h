#pragma once

#include <cstdint>
#include <ctime>
#include <string>

#include "pipe/event.h"

namespace rp::handlers {

/// What identifies one state of a file.
struct FileState {
  std::string etag;  ///< strong, with its quotes
  std::time_t modified = 0;
  std::uint64_t bytes = 0;
};

/// What a request wants of a file.
struct Selection {
  std::uint16_t status = 200;  ///< 200 whole, 206 a part, 304, 412 or 416 nothing
  std::uint64_t begin = 0;     ///< of the part that is sent
  std::uint64_t bytes = 0;
};

/// Judges If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since, If-Range and Range by
/// RFC 9110, sections 13 and 14. One range is served; of several, and of what is no byte range,
/// nothing is taken and the whole file is the answer.
Selection select(const pipe::Headers& headers, const FileState& file);

}  // namespace rp::handlers
