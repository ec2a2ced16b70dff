#pragma once

#include <filesystem>

namespace rp::node {

/// The running program's own file, as the kernel knows it; never through PATH or argv.
std::filesystem::path program_path();

/// The plugin that is loaded when no handlers are configured: `plugins/restpipe_demo.so` beside the
/// program in a build tree, `lib/restpipe/plugins/restpipe_demo.so` under its prefix once
/// installed. When neither exists, the installed place, so that the error names it.
std::filesystem::path built_in_plugin(const std::filesystem::path& program = program_path());

}  // namespace rp::node
