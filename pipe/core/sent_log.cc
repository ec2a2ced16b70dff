#include "pipe/core/sent_log.h"

#include <algorithm>
#include <utility>

#include "pipe/core/frame.h"

namespace rp::pipe {
namespace {

// Small frames share an entry up to this size. It is let go as a whole, so it bounds what is held
// although it has been acknowledged.
constexpr std::size_t kEntryBytes = 16 * 1024;

std::size_t frame_bytes_at(std::string_view frames, std::size_t at) {
  return kFrameHeaderBytes + decode_header(frames.data() + at).payload_bytes;
}

}  // namespace

SentLog::Entry& SentLog::add_entry(std::uint64_t count) {
  Entry& entry = entries_.emplace_back();
  entry.first = sent_;
  entry.count = count;
  return entry;
}

void SentLog::append(std::string_view frames, std::uint64_t count) {
  if (count == 0) return;
  const bool fits = !entries_.empty() && !entries_.back().piece &&
                    entries_.back().frames.size() + frames.size() <= kEntryBytes;
  if (fits) {
    entries_.back().count += count;
  } else {
    add_entry(count).frames = std::exchange(spare_, {});
  }
  entries_.back().frames.append(frames);
  sent_ += count;
  repeat_from_ = sent_;
  bytes_ += frames.size();
}

void SentLog::append_data(std::string_view header, Piece piece, std::size_t offset,
                          std::size_t bytes) {
  if (bytes == 0) return append(header, 1);
  Entry& entry = add_entry(1);
  entry.frames = header;
  entry.piece = std::move(piece);
  entry.offset = offset;
  entry.piece_bytes = bytes;
  repeat_from_ = ++sent_;
  bytes_ += entry.bytes();
}

bool SentLog::acknowledge(std::uint64_t count) {
  if (count < acknowledged_ || count > sent_) return false;
  acknowledged_ = count;
  repeat_from_ = std::max(repeat_from_, count);
  while (!entries_.empty() && entries_.front().first + entries_.front().count <= count) {
    Entry& entry = entries_.front();
    bytes_ -= entry.bytes();
    if (!entry.piece) {
      spare_ = std::move(entry.frames);
      spare_.clear();
    }
    entries_.pop_front();
  }
  return true;
}

void SentLog::repeat(std::string& out, std::size_t bytes_max) {
  const auto ends_before = [](const Entry& entry, std::uint64_t frame) {
    return entry.first + entry.count <= frame;
  };
  auto entry = std::lower_bound(entries_.begin(), entries_.end(), repeat_from_, ends_before);
  for (; entry != entries_.end() && out.size() < bytes_max; ++entry) {
    repeat_entry(*entry, out, bytes_max);
  }
}

void SentLog::repeat_entry(const Entry& entry, std::string& out, std::size_t bytes_max) {
  if (entry.piece) {
    out.append(entry.frames);
    out.append(*entry.piece, entry.offset, entry.piece_bytes);
    ++repeat_from_;
    return;
  }
  std::size_t at = 0;
  for (std::uint64_t frame = entry.first; frame < entry.first + entry.count; ++frame) {
    const std::size_t bytes = frame_bytes_at(entry.frames, at);
    if (frame >= repeat_from_) {
      if (out.size() >= bytes_max) return;
      out.append(entry.frames, at, bytes);
      ++repeat_from_;
    }
    at += bytes;
  }
}

void SentLog::release_memory() {
  spare_ = {};
  entries_.shrink_to_fit();
}

}  // namespace rp::pipe
