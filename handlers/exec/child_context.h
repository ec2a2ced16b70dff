#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipe/event.h"

namespace rp::handlers {

/// The whole environment of an executable that answers `event`, as NAME=VALUE: PATH, HOME, LANG and
/// TZ of this process, and what docs/handlers.md lists. `noun` is the event's without arguments.
std::vector<std::string> child_environment(const pipe::Event& event, const pipe::Origin& origin,
                                           std::string_view method, std::string_view noun,
                                           std::string_view node);

/// What a remote caller may see of an executable's stderr: its last line that is not blank, with
/// absolute paths cut to their last name, at most 1 KiB.
std::string error_line(std::string_view errors);

}  // namespace rp::handlers
