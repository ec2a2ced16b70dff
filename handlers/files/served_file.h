#pragma once

#include <string>
#include <string_view>

#include "handlers/files/selection.h"
#include "handlers/trusted_file.h"

namespace rp::handlers {

/// What there is at a path below a served directory.
struct ServedFile {
  enum class Kind {
    file,
    directory,  ///< which its address should show by a '/' at its end
    absent,     ///< or hidden, or out of bounds
    forbidden,  ///< this process may not read it
    failed,     ///< the system did not open it, for example for want of descriptors
  };

  Kind kind = Kind::absent;
  FileDescriptor fd{};  ///< file: open for reading
  FileState state{};
  std::string name{};  ///< file: its last name, for the content type
  int error = 0;       ///< failed: errno
};

/// Opens what `path`, which is "" or begins with '/', names below `root`; a '/' at its end stands
/// for the index.html there. Links are followed as long as they stay below the root, and names that
/// begin with a dot do not exist. Waits for the disk.
ServedFile open_served(const std::string& root, std::string_view path);

/// Empty when files can be served from `root`; otherwise why not.
std::string what_is_wrong_with_root(const std::string& root);

}  // namespace rp::handlers
