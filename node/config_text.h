#pragma once

#include <string>

#include "node/config.h"

namespace rp::node {

/// A complete TOML file for the role in which every setting stands commented out with its default,
/// what it means and what it accepts.
std::string default_file(Role role);

/// The effective settings, one line each: `key = value  # origin`, in TOML that can be read back.
std::string effective_text(const Config& config);

}  // namespace rp::node
