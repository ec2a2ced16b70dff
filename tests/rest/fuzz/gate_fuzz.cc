#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rest/gate.h"

/// Feeds arbitrary bytes to the gate, once whole and once in pieces whose size the first byte of
/// the input gives. Whatever the bytes are, both ways must yield the same requests and the same
/// refusal, and every request that comes out keeps the promises of its header.
namespace {

using rp::rest::Gate;
using rp::rest::Limits;
using rp::rest::Refusal;
using rp::rest::Request;

/// Small enough that the fuzzer reaches each of them.
Limits small_limits() {
  Limits limits;
  limits.head_bytes_max = 512;
  limits.target_bytes_max = 128;
  limits.header_count_max = 8;
  limits.body_bytes_max = 256;
  limits.trailer_bytes_max = 64;
  return limits;
}

const Limits kLimits = small_limits();

void require(bool promise) {
  if (!promise) std::abort();
}

void check(const Request& request) {
  require(!request.method().empty() && !request.target().empty() && !request.path().empty());
  require(request.target().size() <= kLimits.target_bytes_max);
  require(request.header_count() <= kLimits.header_count_max);
  require(request.body().size() <= kLimits.body_bytes_max);
  require(request.minor_version() == 0 || !request.host().empty());
  for (const char c : request.path()) {
    const auto byte = static_cast<unsigned char>(c);
    require(byte >= 0x20 && byte != 0x7F && byte != '\\');
  }
  for (std::size_t i = 0; i < request.header_count(); ++i) {
    for (const char c : request.header_name(i))
      require(c > ' ' && c != ':' && !(c >= 'A' && c <= 'Z'));
    require(request.header_value(i).find_first_of(std::string_view("\r\n\0", 3)) ==
            std::string::npos);
  }
}

struct Outcome {
  std::vector<std::string> requests;
  std::optional<int> refused;  ///< its status
};

Outcome run(std::string_view input, std::size_t step) {
  Gate gate(kLimits);
  Outcome outcome;
  while (!input.empty() && !outcome.refused) {
    std::string_view piece = input.substr(0, step);
    input.remove_prefix(piece.size());
    for (bool more = true; more;) {
      switch (gate.feed(piece)) {
        case Gate::Progress::need_more:
          require(piece.empty());
          more = false;
          break;
        case Gate::Progress::head:
          check(gate.request());
          break;
        case Gate::Progress::complete: {
          const Request request = gate.take_request();
          check(request);
          outcome.requests.push_back(std::string(request.method()) + ' ' + request.path() + ' ' +
                                     std::string(request.query()) + ' ' + request.body());
          break;
        }
        case Gate::Progress::refused:
          require(gate.refusal().status >= 400 && gate.refusal().status <= 505);
          outcome.refused = gate.refusal().status;
          more = false;
          break;
      }
    }
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = run(input, std::string_view::npos);
  const Outcome split = run(input, std::size_t{1} + data[0] % 64U);
  require(whole.requests == split.requests);
  // Which of two faults is seen first may depend on the split; that there is one may not.
  require(whole.refused.has_value() == split.refused.has_value());
  return 0;
}
