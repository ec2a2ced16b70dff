#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rp::certs {

/// Longest name that our authority issues: a DNS label's limit, and a CN (64) still holds it.
inline constexpr std::size_t kIssuedNameBytesMax = 63;
/// Longest name accepted from another authority: a whole DNS name (RFC 1035 section 2.3.4).
inline constexpr std::size_t kPeerNameBytesMax = 253;

/// Whether `name` may name a node: [A-Za-z0-9_.-], 1 to `bytes_max` bytes, not beginning with '.'
/// or
/// '-' (so that it is neither a path step nor an option). No wildcards.
bool acceptable_name(std::string_view name, std::size_t bytes_max) noexcept;

/// `address` in its binary form (4 or 16 bytes), or empty if it is no IPv4 or IPv6 address.
std::string ip_address_bytes(std::string_view address);

/// One subjectAltName as a user writes it, in the form that OpenSSL's extension syntax takes:
/// "DNS:x", "IP:y" or a bare x, which is an IP address if it looks like one. Throws Error
/// (bad_argument) for anything else, so what it returns is safe to put between commas.
std::string subject_alt_name(std::string_view text);

}  // namespace rp::certs
