#include "node/install_paths.h"

#include <system_error>

namespace rp::node {

std::filesystem::path program_path() {
  std::error_code ignored;  // without /proc the path is empty and the caller's file is not found
  return std::filesystem::read_symlink("/proc/self/exe", ignored);
}

std::filesystem::path built_in_plugin(const std::filesystem::path& program) {
  const std::filesystem::path directory = program.parent_path();
  const std::filesystem::path file = std::filesystem::path("plugins") / "restpipe_demo.so";
  std::error_code ignored;
  if (std::filesystem::exists(directory / file, ignored)) return directory / file;
  return directory.parent_path() / "lib" / "restpipe" / file;
}

}  // namespace rp::node
