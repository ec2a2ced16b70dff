#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace rp::product {

/// A private directory under the system's temporary one, removed with all it holds at the end. Its
/// path is short enough for Unix sockets.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// Whole contents; "" when there is no such file.
std::string read_text(const std::filesystem::path& file);
void write_text(const std::filesystem::path& file, std::string_view text);
/// A program: text that begins with #! and its interpreter.
void write_executable(const std::filesystem::path& file, std::string_view text);

std::vector<std::string> lines_of(std::string_view text);
bool contains(std::string_view text, std::string_view part);

}  // namespace rp::product
