#pragma once

#include <filesystem>
#include <string>

namespace rp::node {

/// Reads a secret of one line, such as a bearer token, without its line break.
///
/// The file must be a regular one of this user or root, closed to everybody else (no permission
/// bits for group and others, except read for a group when root owns it, as systemd does), and hold
/// 16 to 4096 printable bytes. Throws StartupError(configuration) that names the file, never its
/// text.
std::string read_secret(const std::filesystem::path& file);

/// No core file of this process will ever be written: it would hold private keys.
void disable_core_dumps() noexcept;

}  // namespace rp::node
