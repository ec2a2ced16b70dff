#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;

/// The yardstick: as little as can stand between two programs and mutual TLS 1.3. It shares no
/// code with pipe/, so that nothing that makes a pipe slow can make its yardstick slow too.
namespace rp::bench {

enum class TlsSide : std::uint8_t { server, client };

using TlsSettings = std::shared_ptr<ssl_ctx_st>;

/// Throws std::runtime_error, as everything here does.
TlsSettings tls_settings(TlsSide side, const std::filesystem::path& identity);

/// One connection. Owns the socket.
class RawTls {
 public:
  RawTls(int socket, const TlsSettings& settings, TlsSide side);
  ~RawTls();
  RawTls(const RawTls&) = delete;
  RawTls& operator=(const RawTls&) = delete;

  /// Waits until the peer has sent something and appends all that is there, decrypted, to `plain`.
  /// False when the peer has closed.
  bool receive(std::string& plain);

  /// Everything in one SSL_write and, unless the socket is full, one send. False when the peer has
  /// closed.
  bool send(std::string_view plain);

 private:
  bool fill();
  bool flush();
  void handshake();

  const int socket_;
  const int epoll_;
  const std::shared_ptr<ssl_st> ssl_;

  // What the staging BIO reads from and writes to.
  friend struct RawBio;
  std::string cipher_in_buffer_;  // fixed size
  std::string_view cipher_in_;
  std::string cipher_out_;
  std::string record_;  // decrypted; fixed size
};

/// A server program: tells its port, then serves one connection after the other until it is
/// killed. `port` 0 takes a free one.
[[noreturn]] void serve_raw_tls(const std::filesystem::path& identity, std::uint16_t port,
                                const std::function<void(RawTls& connection)>& serve);

int connect_to_loopback(std::uint16_t port);

}  // namespace rp::bench
