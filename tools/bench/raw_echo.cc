#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tools/bench/echo_main.h"
#include "tools/bench/raw_tls.h"

/// The raw side: frames of a length, the caller's number and a body, echoed over one connection.
/// All frames that arrive together are answered by one SSL_write and one send.
namespace rp::bench {
namespace {

struct FrameHeader {  // in the byte order of the machine: both ends are on it
  std::uint32_t body_bytes;
  std::uint32_t flags;  // unused; makes a frame as long as one of a pipe without its head
  std::uint32_t caller;
};
constexpr std::size_t kFrameBytes = sizeof(FrameHeader) + kBodyBytes;

void append_frame(std::uint32_t caller, std::string_view body, std::string& out) {
  const FrameHeader header{static_cast<std::uint32_t>(body.size()), 0, caller};
  out.append(static_cast<const char*>(static_cast<const void*>(&header)), sizeof header);
  out.append(body);
}

/// Calls `use(caller, body)` for each whole frame and takes them from `bytes`.
template <class Use>
void take_frames(std::string& bytes, Use use) {
  std::string_view rest = bytes;
  while (rest.size() >= sizeof(FrameHeader)) {
    FrameHeader header{};
    std::memcpy(&header, rest.data(), sizeof header);
    if (rest.size() < sizeof header + header.body_bytes) break;
    use(header.caller, rest.substr(sizeof header, header.body_bytes));
    rest.remove_prefix(sizeof header + header.body_bytes);
  }
  bytes.erase(0, bytes.size() - rest.size());
}

void echo(RawTls& connection) {
  std::string in;
  std::string out;
  while (connection.receive(in)) {
    out.clear();
    take_frames(
        in, [&](std::uint32_t caller, std::string_view body) { append_frame(caller, body, out); });
    if (!out.empty()) connection.send(out);
  }
}

void serve(const std::filesystem::path& identity, std::uint16_t port) {
  serve_raw_tls(identity, port, echo);
}

void load(const std::filesystem::path& identity, std::uint16_t port, ClosedLoop& loop) {
  const TlsSettings settings = tls_settings(TlsSide::client, identity);
  RawTls connection(connect_to_loopback(port), settings, TlsSide::client);
  const std::string body(kBodyBytes, 'x');
  std::string in;
  std::string out;
  in.reserve(loop.in_flight() * kFrameBytes);
  for (std::uint32_t caller = 0; caller < loop.in_flight(); ++caller) {
    append_frame(caller, body, out);
  }
  loop.start();
  while (!loop.done()) {
    if (!out.empty()) connection.send(out);
    out.clear();
    if (!connection.receive(in)) throw std::runtime_error("the server has closed");
    take_frames(in, [&](std::uint32_t caller, std::string_view) {
      if (loop.answered(caller)) append_frame(caller, body, out);
    });
  }
}

}  // namespace
}  // namespace rp::bench

int main(int argc, char** argv) {
  return rp::bench::echo_main(argc, argv, {&rp::bench::serve, &rp::bench::load});
}
