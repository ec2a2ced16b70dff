#pragma once

#include <string>

#include "tools/restpipe/http_exchange.h"

/// What the commands that send requests have in common.
namespace rp::tools {

// Exit codes that say that no answer of a handler came back; the numbers are curl's for the same
// reasons.
inline constexpr int kUnreachable = 7;
inline constexpr int kHttpError = 22;
inline constexpr int kOutputFailed = 23;
inline constexpr int kTimedOut = 28;
inline constexpr int kBroken = 56;

int exit_code_of(HttpFailure::Kind kind);

/// "-" and "@-" are standard input, "@FILE" a file, anything else the data itself. Throws
/// CLI::ValidationError that names `argument`, as the command line has it.
std::string load_data(const std::string& text, const std::string& argument);

}  // namespace rp::tools
