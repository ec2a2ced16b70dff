#include <stdexcept>
#include <string>

#include "tools/bench/bulk_main.h"
#include "tools/bench/raw_tls.h"

/// The raw side of bulk transfers: one SSL_write and one send per piece, nothing between them; each
/// piece is made anew, as the pipe's are. The first byte from the dialling side says which way the
/// bytes go.
namespace rp::bench {
namespace {

constexpr char kDown = 'd';
constexpr char kUp = 'u';

std::string make_piece() { return std::string(kPieceBytes, 'b'); }

void serve_one(RawTls& connection) {
  std::string in;
  if (!connection.receive(in)) return;
  if (in.front() == kDown) {
    while (connection.send(make_piece())) continue;
  } else {
    while (connection.receive(in)) in.clear();
  }
}

void serve(const std::filesystem::path& identity, std::uint16_t port) {
  serve_raw_tls(identity, port, serve_one);
}

void load(const std::filesystem::path& identity, std::uint16_t port, Direction direction,
          BulkMeter& meter) {
  RawTls connection(connect_to_loopback(port), tls_settings(TlsSide::client, identity),
                    TlsSide::client);
  connection.send(std::string(1, direction == Direction::down ? kDown : kUp));
  std::string in;
  meter.start();
  bool alive = true;
  do {
    in.clear();
    alive = direction == Direction::down ? connection.receive(in) : connection.send(make_piece());
  } while (alive && meter.passed(direction == Direction::down ? in.size() : kPieceBytes));
  if (!alive) throw std::runtime_error("the server has closed");
}

}  // namespace
}  // namespace rp::bench

int main(int argc, char** argv) {
  return rp::bench::bulk_main(argc, argv, {&rp::bench::serve, &rp::bench::load});
}
