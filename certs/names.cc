#include "certs/names.h"

#include <algorithm>
#include <arpa/inet.h>

#include "certs/error.h"

namespace rp::certs {

bool acceptable_name(std::string_view name, std::size_t bytes_max) noexcept {
  if (name.empty() || name.size() > bytes_max) return false;
  if (name.front() == '.' || name.front() == '-') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
}

std::string ip_address_bytes(std::string_view address) {
  const std::string text(address);
  std::string bytes(16, '\0');
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return bytes.substr(0, 4);
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
  return {};
}

std::string subject_alt_name(std::string_view text) {
  constexpr std::string_view kDns = "DNS:";
  constexpr std::string_view kIp = "IP:";
  const std::string quoted = "'" + std::string(text.substr(0, 80)) + "'";

  if (text.starts_with(kIp)) {
    if (!ip_address_bytes(text.substr(kIp.size())).empty()) return std::string(text);
    throw Error(ErrorKind::bad_argument,
                "subject alternative name " + quoted + " is not an IPv4 or IPv6 address");
  }
  std::string_view name = text;
  if (name.starts_with(kDns)) {
    name.remove_prefix(kDns.size());
  } else if (!ip_address_bytes(name).empty()) {
    return std::string(kIp) + std::string(name);
  }
  if (acceptable_name(name, kPeerNameBytesMax)) return std::string(kDns) + std::string(name);
  throw Error(
      ErrorKind::bad_argument,
      "subject alternative name " + quoted +
          " must be DNS:NAME, IP:ADDRESS, a name of letters, digits, '_', '.' and '-', or an "
          "address; wildcards are not accepted");
}

}  // namespace rp::certs
