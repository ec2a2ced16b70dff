#pragma once

#include <string>
#include <sys/types.h>

#include "rest/endpoint.h"

namespace rp::rest {

/// A listening socket: opened in the constructor, closed (and its Unix socket file removed) in the
/// destructor.
class Listener {
 public:
  /// Throws ListenError. A Unix socket file that nobody listens on any more is replaced; one in use
  /// and a file of another kind are refused. The file never has a looser mode than `unix_mode`.
  Listener(const Endpoint& endpoint, mode_t unix_mode);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int fd() const { return fd_; }
  /// With the port that the system chose.
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  void open_tcp();
  void open_unix(mode_t mode);
  void listen();
  [[noreturn]] void fail(const std::string& what) const;

  Endpoint endpoint_;
  int fd_ = -1;
  dev_t device_ = 0;  ///< with inode_: the file made by bind(), lest another one is removed
  ino_t inode_ = 0;
};

}  // namespace rp::rest
