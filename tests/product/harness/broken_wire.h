#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/product/harness/fault_proxy.h"
#include "tests/product/harness/lab.h"

namespace rp::product {

/// A server and a client with a wire between them that can be broken. Both have the methods of
/// counting_plugin.cc, parity_plugin.cc and the demo, and answer with executables as well.
class BrokenWireTest : public LabTest {
 protected:
  /// Returns when the pipe is up.
  void start(std::vector<std::string> flags = {});

  /// Another process where the last one was, killed first; it is found by the same wire.
  void replace_server();
  void replace_client();

  std::vector<std::string> flags_;
  std::optional<FaultProxy> wire_;
};

}  // namespace rp::product
