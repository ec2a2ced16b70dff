#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tests/product/harness/process.h"

namespace rp::product {

/// A web application of a test, in Python, on 127.0.0.1; it ends with this object.
class Application {
 public:
  /// `program` defines the class Application, a http.server.BaseHTTPRequestHandler, which answers
  /// on a thread for each connection and logs nothing; http.server, sys and time are imported. It
  /// runs in `directory`. Port 0 is one of the kernel's choice. Throws std::runtime_error when it
  /// does not serve within 20 s.
  Application(const std::filesystem::path& directory, std::string_view program,
              const std::string& port = "0");

  const std::string& port() const noexcept { return port_; }
  /// http://127.0.0.1:PORT, without a slash behind it.
  std::string origin() const { return "http://127.0.0.1:" + port_; }

  /// The first whole line that it printed and that holds `part`.
  std::optional<std::string> out_line(std::string_view part,
                                      TestClock::duration timeout = kPatience) {
    return process_->out_line(part, timeout);
  }

 private:
  std::unique_ptr<Process> process_;
  std::string port_;
};

}  // namespace rp::product
