#include "rest/chunk_decoder.h"

#include <algorithm>

#include "pipe/percent.h"

namespace rp::rest {
namespace {

constexpr std::uint64_t kChunkSizeMax = std::uint64_t{1} << 40;  // far beyond any body limit

}  // namespace

std::size_t ChunkDecoder::feed(std::string_view bytes, std::string& body) {
  std::size_t at = 0;
  while (at < bytes.size() && !done() && !refusal_) {
    if (state_ == State::data) {
      const auto take =
          static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, bytes.size() - at));
      body.append(bytes.substr(at, take));
      at += take;
      chunk_left_ -= take;
      if (chunk_left_ == 0) state_ = State::data_cr;
    } else {
      take_byte(bytes[at++]);
    }
  }
  return at;
}

void ChunkDecoder::take_byte(char c) {
  switch (state_) {
    case State::size_first:
    case State::size_more:
    case State::extension:
      return take_size_byte(c);
    case State::size_lf:
      if (c != '\n') return refuse(400, "bad_chunk", "a chunk size line does not end with CRLF");
      return begin_data();
    case State::data_cr:
      if (c != '\r') return refuse(400, "bad_chunk", "a chunk is longer than its size says");
      state_ = State::data_lf;
      return;
    case State::data_lf:
      if (c != '\n') return refuse(400, "bad_chunk", "a chunk does not end with CRLF");
      state_ = State::size_first;
      return;
    case State::trailer:
      count_trailer_byte();
      if (c == '\r') {
        state_ = State::trailer_lf;
      } else if (c == '\n') {
        refuse(400, "bad_chunk", "a trailer line ends with a bare LF");
      } else {
        trailer_line_ += c;
      }
      return;
    case State::trailer_lf:
      if (c != '\n') return refuse(400, "bad_chunk", "a trailer line holds a bare CR");
      return end_trailer_line();
    case State::data:
    case State::done:
      return;  // feed() handles both
  }
}

void ChunkDecoder::take_size_byte(char c) {
  if (state_ == State::extension) {
    count_trailer_byte();
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\r') {
      state_ = State::size_lf;
    } else if ((byte < 0x20 && c != '\t') || byte == 0x7F) {
      refuse(400, "bad_chunk", "a chunk extension holds a control byte");
    }
    return;
  }
  if (const int digit = pipe::hex_value(c); digit >= 0) {
    chunk_left_ = chunk_left_ * 16 + static_cast<std::uint64_t>(digit);
    state_ = State::size_more;
    if (chunk_left_ > kChunkSizeMax) refuse(413, "body_too_large", "a chunk size is out of range");
  } else if (state_ == State::size_more && c == '\r') {
    state_ = State::size_lf;
  } else if (state_ == State::size_more && c == ';') {
    state_ = State::extension;
  } else {
    refuse(400, "bad_chunk", "a chunk size is not a plain hexadecimal number");
  }
}

void ChunkDecoder::begin_data() {
  if (chunk_left_ == 0) {
    state_ = State::trailer;
    return;
  }
  if (chunk_left_ > body_bytes_max_ - body_bytes_)
    return refuse(413, "body_too_large",
                  "the body exceeds " + std::to_string(body_bytes_max_) + " bytes");
  body_bytes_ += chunk_left_;
  state_ = State::data;
}

void ChunkDecoder::end_trailer_line() {
  if (trailer_line_.empty()) {
    state_ = State::done;
    return;
  }
  refusal_ = HeadParser::check_field_line(trailer_line_);
  trailer_line_.clear();
  state_ = State::trailer;
}

void ChunkDecoder::count_trailer_byte() {
  if (++trailer_bytes_ > limits_->trailer_bytes_max)
    refuse(431, "trailers_too_large", "chunk extensions and trailers exceed their limit");
}

void ChunkDecoder::refuse(int status, std::string_view code, std::string detail) {
  if (!refusal_) refusal_ = Refusal{status, code, std::move(detail)};
}

}  // namespace rp::rest
