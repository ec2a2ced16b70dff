#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rp::handlers {

/// "get" and "time/utc" to "get_time_utc"; "" when the noun holds what no method's name may:
/// anything but letters, digits, '_', '-', '.' and '/'.
std::string method_name(std::string_view verb, std::string_view noun);

/// What a directory of executables has for one method.
struct FoundMethod {
  enum class Kind { none, found, refused };

  Kind kind = Kind::none;
  std::string path;     ///< found: the executable
  bool is_cgi = false;  ///< found: its name ends in ".cgi"
  std::string why;      ///< refused: for the log; names paths
};

/// Looks the method up in the directories, in this order, as they are at this moment: the first
/// that has it decides.
///
/// A file is a method's when its name is the method's, or that and an extension of 1 to 8 letters
/// or digits. A name without extension wins; several extensions refuse the method. Files that the
/// node may not execute are passed over, with a warning in the log. The directory and the file must
/// be as trustworthy as a plugin (PluginSet::load()).
FoundMethod find_method(const std::vector<std::string>& directories, std::string_view method);

/// Throws PluginRefused when `path` is no directory that may hold methods.
void check_method_directory(const std::string& path);

}  // namespace rp::handlers
