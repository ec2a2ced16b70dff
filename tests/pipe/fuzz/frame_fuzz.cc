#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/core/frame.h"
#include "pipe/core/limits.h"

/// The frame decoder: the same bytes must give the same frames however they are split, and no more
/// may be held than has arrived. The first byte of the input says how they are split.
namespace {

using namespace rp::pipe;

struct Cut {
  std::vector<std::string> frames;
  int error = 0;
  friend bool operator==(const Cut&, const Cut&) = default;
};

void require(bool ok) {
  if (!ok) std::abort();
}

Cut cut(std::string_view bytes, std::size_t piece_bytes) {
  Cut result;
  FrameDecoder decoder(Limits::kFrameBytesMax);
  std::size_t arrived = 0;
  while (!bytes.empty() && result.error == 0) {
    const std::string piece(bytes.substr(0, piece_bytes));  // exact, for the sanitizer
    bytes.remove_prefix(piece.size());
    arrived += piece.size();
    decoder.push(piece);
    while (auto next = decoder.next()) {
      if (!*next) {
        result.error = next->error().value();
        break;
      }
      const FrameHeader& header = (*next)->header;
      require(!check_header(header));
      require((*next)->payload.size() == header.payload_bytes);
      char encoded[kFrameHeaderBytes];
      encode_header(header, encoded);
      result.frames.push_back(std::string(encoded, sizeof encoded) + std::string((*next)->payload));
    }
    require(decoder.buffered_bytes() <= arrived);
    require(decoder.buffered_bytes() <= kFrameHeaderBytes + Limits::kFrameBytesMax);
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const void* bytes = data + 1;
  const std::string_view input(static_cast<const char*>(bytes), size - 1);
  require(cut(input, input.size() + 1) == cut(input, std::size_t{1} + data[0]));
  return 0;
}
