#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "certs/identity.h"

namespace rp::certs {

/// One certificate that an authority issued.
struct Issued {
  std::string name;    ///< its CN, which is also its first DNS SAN
  std::string serial;  ///< upper-case hexadecimal
  WallTime expires_at;
  std::optional<WallTime> revoked_at;
};

/// An authority's record of what it issued, in the text form of `openssl ca` (index.txt), so that
/// OpenSSL's own tools can read it too. Times have a resolution of one second.
namespace issue_log {

/// What a log may hold: some 600,000 certificates of nodes with names of usual length.
inline constexpr std::size_t kBytesMax = std::size_t{64} * 1024 * 1024;

/// Empty if there is no file. Throws Error (unreadable, malformed: with the line's number).
std::vector<Issued> read(const std::filesystem::path& path);

/// The contents of the file, which the caller keeps within kBytesMax.
std::string text(const std::vector<Issued>& entries);

}  // namespace issue_log
}  // namespace rp::certs
