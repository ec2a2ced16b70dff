#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/product/harness/http.h"
#include "tests/product/harness/process.h"

namespace rp::product {

/// Real nginx with tools/nginx/restpipe.conf, which expects the sockets server.sock and client.sock
/// of the nodes in `home`, and listens on a Unix socket there. Only the places of sockets, and what
/// `replaced` says, differ from the sample.
class Nginx {
 public:
  using Replaced = std::vector<std::pair<std::string, std::string>>;

  explicit Nginx(std::filesystem::path home, const Replaced& replaced = {});
  ~Nginx();
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;

  /// True when it serves.
  bool ready();

  /// The Unix socket that stands for port 80.
  std::string front() const { return (home_ / "front.sock").string(); }
  Response get(const std::string& host, const std::string& path,
               std::vector<std::string> more = {}) const;

  std::string log() const { return process_->err() + read_text(home_ / "error.log"); }

 private:
  const std::filesystem::path home_;
  std::unique_ptr<Process> process_;
};

}  // namespace rp::product
