#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rest/head_parser.h"
#include "rest/limits.h"

namespace rp::rest {

/// Decodes a chunked body as RFC 9112 section 7.1 has it, with CRLF everywhere. Extensions and
/// trailers are checked, counted against Limits::trailer_bytes_max and dropped.
class ChunkDecoder {
 public:
  ChunkDecoder(const Limits& limits, std::uint64_t body_bytes_max)
      : limits_(&limits), body_bytes_max_(body_bytes_max) {}

  /// Appends decoded bytes to `body`; stops after the body's last byte, at a refusal or at the end
  /// of `bytes`. Returns how many bytes were used.
  std::size_t feed(std::string_view bytes, std::string& body);

  bool done() const { return state_ == State::done; }
  const std::optional<Refusal>& refusal() const { return refusal_; }

 private:
  enum class State : std::uint8_t {
    size_first,  ///< the first digit of a chunk size
    size_more,   ///< further digits
    extension,   ///< after ';'
    size_lf,     ///< after the CR of the size line
    data,
    data_cr,
    data_lf,
    trailer,     ///< a trailer line or the final empty line
    trailer_lf,  ///< after a CR in the trailer part
    done,
  };

  void refuse(int status, std::string_view code, std::string detail);
  void take_byte(char c);
  void take_size_byte(char c);
  void begin_data();
  void end_trailer_line();
  void count_trailer_byte();

  const Limits* limits_;  // outlives the decoder
  std::uint64_t body_bytes_max_;
  std::uint64_t body_bytes_ = 0;  ///< promised by the chunk sizes so far
  State state_ = State::size_first;
  std::uint64_t chunk_left_ = 0;   ///< bytes of the current chunk's data still to come
  std::size_t trailer_bytes_ = 0;  ///< extensions and trailers so far
  std::string trailer_line_;
  std::optional<Refusal> refusal_;
};

}  // namespace rp::rest
