#pragma once

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

/// Empty if there is no file. Throws Error (unreadable, malformed: with the line's number).
std::vector<Issued> read(const std::filesystem::path& path);

/// The contents of the file.
std::string text(const std::vector<Issued>& entries);

}  // namespace issue_log
}  // namespace rp::certs
