#pragma once

#include <filesystem>

#include "certs/pem.h"

namespace rp::tools {

/// Asks on the controlling terminal, without echo, for the passphrase of that key file. The prompt
/// returns nothing when there is no terminal, so a script gets an error instead of a hang.
certs::PassphrasePrompt passphrase_prompt(const std::filesystem::path& key);

}  // namespace rp::tools
