#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace rp::pipe {

/// The reliable frames that have left and that the peer has not acknowledged, in the order in which
/// they left: what a new link must repeat when the old one broke. Frames are numbered from 1, and
/// "n frames" stands for the first n of them.
///
/// Small frames are copied; DATA frames share the piece that they were cut from.
class SentLog {
 public:
  using Piece = std::shared_ptr<const std::string>;

  /// `count` whole frames that have just left. Nothing may wait to be repeated.
  void append(std::string_view frames, std::uint64_t count);
  /// One DATA frame: its header, and `bytes` of `piece` from `offset` on. The piece may be null
  /// where there are no bytes.
  void append_data(std::string_view header, Piece piece, std::size_t offset, std::size_t bytes);

  /// Frames that have left since the session began.
  std::uint64_t sent() const { return sent_; }
  /// Bytes that are held: their frames have not been acknowledged.
  std::size_t bytes() const { return bytes_; }

  /// The peer has `count` frames. False if it cannot: it said otherwise before, or so many have not
  /// left.
  [[nodiscard]] bool acknowledge(std::uint64_t count);
  std::uint64_t acknowledged() const { return acknowledged_; }

  /// A new link: all that is held leaves again through repeat() before anything new is appended.
  void rewind() { repeat_from_ = acknowledged_; }
  bool has_repeats() const { return repeat_from_ < sent_; }
  /// Appends frames to `out` until it holds `bytes_max` or all are repeated. One frame more than
  /// fits is possible.
  void repeat(std::string& out, std::size_t bytes_max);

  /// Gives memory of the last burst back.
  void release_memory();

 private:
  struct Entry {
    std::uint64_t first = 0;  // frames before this entry's
    std::uint64_t count = 0;
    std::string frames;  // whole frames, or the header of one whose payload is in the piece
    Piece piece;
    std::size_t offset = 0;
    std::size_t piece_bytes = 0;

    std::size_t bytes() const { return frames.size() + piece_bytes; }
  };

  Entry& add_entry(std::uint64_t count);
  void repeat_entry(const Entry& entry, std::string& out, std::size_t bytes_max);

  std::deque<Entry> entries_;
  std::string spare_;  // memory of the last entry of small frames, for the next one
  std::uint64_t sent_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t repeat_from_ = 0;  // frames before the next one to repeat; sent_: none
  std::size_t bytes_ = 0;
};

}  // namespace rp::pipe
