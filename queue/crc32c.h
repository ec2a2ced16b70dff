#pragma once

#include <cstdint>
#include <string_view>

namespace rp::queue {

/// CRC-32C (Castagnoli) of `bytes`, going on from `crc`, the value of what came before; 0 at first.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0) noexcept;

}  // namespace rp::queue
