#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace rp::certs {

/// No file of an identity is larger: a chain with every intermediate stays under 100 kB, a CRL of
/// 20,000 entries under 1 MiB.
inline constexpr std::size_t kIdentityFileBytesMax = std::size_t{1024} * 1024;

/// Whole contents of a regular file. Throws Error (missing, unreadable: also for being too large).
std::string read_file(const std::filesystem::path& path,
                      std::size_t bytes_max = kIdentityFileBytesMax);

/// The same, but empty when there is no such file.
std::string read_optional_file(const std::filesystem::path& path,
                               std::size_t bytes_max = kIdentityFileBytesMax);

/// Like read_file() for a private key, which must be closed to group and others and belong to this
/// user or to root (root itself may read anyone's). Throws Error (also loose_permissions).
std::string read_key_file(const std::filesystem::path& path);

/// The directory that a file is in; "." for a bare name.
std::filesystem::path directory_of(const std::filesystem::path& path);

}  // namespace rp::certs
