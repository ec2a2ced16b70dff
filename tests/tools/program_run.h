#pragma once

#include <string>
#include <vector>

#include "node/config.h"

namespace rp::tools {

/// What one run of the program did.
struct Outcome {
  int exit_code = 0;
  std::string out;
  std::string err;
  std::vector<node::Config> nodes;  ///< those that it would have run
};

/// Runs the program inside this process with these arguments. Nodes are recorded instead of run.
Outcome run(const std::vector<std::string>& arguments);

}  // namespace rp::tools
