#pragma once

#include <string_view>
#include <vector>

#include "tests/style/source_text.h"

/// Who may know whom: the arrows between the folders.
///
///     tools -> server | client -> node -> rest, handlers -> queue -> pipe -> certs, proto
///
/// A file includes its own folder and those below it. Folders on one level never include each
/// other. The value headers of pipe/ (errors, logging, event shapes) are below everything.
namespace rp::style {

/// Quoted includes that point up or sideways, or to no folder of the project.
std::vector<Violation> wrong_arrows(const SourceFile& file);

/// Headers that let OpenSSL, Pistache or protobuf leak into whoever includes them.
std::vector<Violation> leaked_libraries(const SourceFile& file);

/// pipe/core is bytes and decisions: no sockets, no clock calls, no logging.
std::vector<Violation> impure_core(const SourceFile& file);

}  // namespace rp::style
