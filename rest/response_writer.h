#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "rest/response.h"

namespace rp::rest {

/// How the body of one answer is delimited.
enum class BodyForm : std::uint8_t {
  none,         ///< 204, 304: neither body nor length
  counted,      ///< Content-Length
  chunked,      ///< Transfer-Encoding: chunked
  until_close,  ///< the end of the connection is the end of the body; HEAD of a stream as well
};

/// What the connection adds to a head.
struct Framed {
  BodyForm form = BodyForm::counted;
  std::uint64_t content_length = 0;  ///< for counted
  bool keep_alive = true;
  int minor_version = 1;  ///< of the request
  /// Whole lines with their CRLF, such as Cors::lines_for() makes.
  std::string_view further_lines = {};
};

/// "Date: ..." with its CRLF, rebuilt once a second. One per thread.
class DateLine {
 public:
  std::string_view get();

 private:
  std::time_t second_ = 0;
  std::string line_;
};

/// Appends status line, headers and the empty line.
void append_head(std::string& out, const ResponseHead& head, const Framed& framed, DateLine& date);

/// Appends the line that announces a chunk of `size` bytes, which is not 0.
void append_chunk_size(std::string& out, std::size_t size);

inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace rp::rest
