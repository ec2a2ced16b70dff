#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "tests/certs/test_pki.h"

struct ssl_ctx_st;
struct ssl_st;

namespace rp::pipe::test {

/// A peer of plain OpenSSL on a blocking socket, for identities and bytes of every kind.
class RawPeer {
 public:
  struct Options {
    certs::Role role = certs::Role::client;
    std::filesystem::path identity;  ///< empty: none
    int tls_version_max = 0x0304;
    std::string alpn = "\x0arestpipe/1";
    bool refuse_peer = false;  ///< as if it trusted another authority
  };
  RawPeer(int socket, const Options& options);
  ~RawPeer();
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  bool handshake();
  /// Each call makes records of its own.
  bool send(std::string_view bytes);
  /// Until that many bytes are there, or the connection ends or is silent for the patience.
  std::string receive(std::size_t bytes);
  /// Everything up to the end of the connection.
  std::string receive_all() { return receive(std::string::npos); }
  /// The next whole frame: its type and payload; type 0 at the end.
  std::pair<int, std::string> receive_frame();
  void reset();
  void request_key_update();

 private:
  int socket_;
  ssl_ctx_st* context_;
  ssl_st* ssl_;
};

}  // namespace rp::pipe::test
