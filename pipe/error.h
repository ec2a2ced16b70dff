#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace rp::pipe {

using boost::system::error_code;

/// A value or the reason why there is none.
template <class T>
using Result = boost::system::result<T>;

/// What can go wrong between a caller and a handler. The numbers travel in replies and goodbyes
/// (docs/wire.md, section "Errors") and are never changed; new ones are added at the end.
enum class Errc {
  frame_too_large = 1,     ///< the header announced more bytes than the limit
  unknown_frame_type = 2,  ///< a type this version does not know, without the ignorable flag
  malformed_frame = 3,     ///< a head or control message that does not parse or breaks a field rule
  protocol_violation = 4,  ///< a well-formed frame that the peer's state does not allow
  version_mismatch = 5,    ///< the peer speaks no wire version that we speak
  heartbeat_missed = 6,    ///< nothing was received for the whole heartbeat timeout
  handshake_timeout = 7,   ///< TLS or HELLO did not finish in time
  link_lost = 8,           ///< the connection under the session broke
  session_lost = 9,        ///< the call was sent, its session ended; the handler may have run
  not_sent = 10,           ///< the call never left this process; the handler did not run
  deadline_exceeded = 11,  ///< the call's time ran out
  cancelled = 12,          ///< the caller gave the call up
  overloaded = 13,         ///< a bound was reached; nothing ran, try again later
  replaced = 14,           ///< a newer pipe of the same identity took over
  draining = 15,           ///< the node is leaving and takes no new calls
  peer_unavailable = 16,   ///< no pipe to that peer within the connection wait
  unknown_peer = 17,       ///< no peer has that name and it does not resolve
  ambiguous_peer = 18,     ///< an address that several connected peers share
  body_too_large = 19,     ///< a body over the receiver's limit
  resolve_failed = 20,     ///< the resolver failed in a way that is not "no such host"
  bad_identity = 21,       ///< the peer's certificate carries no usable identity
  handler_failed = 22,     ///< the handler broke off after its reply had begun
  revoked = 23,            ///< the peer's certificate has been revoked
  stopped = 24,            ///< this node is shutting down
  forbidden = 25,          ///< the policy of the node that was asked refuses; nothing ran
  key_in_use = 26,         ///< a request with the same idempotency key is still running
  key_reused = 27,         ///< the idempotency key came before with another request
  handler_crashed = 28,    ///< the process of the handler ended before it had answered
  handler_unavailable = 29,  ///< its program was not started or not reached; nothing ran
};

/// Stable word for logs, metrics and problem documents, for example "frame_too_large".
std::string_view name(Errc e) noexcept;

const boost::system::error_category& category() noexcept;
error_code make_error_code(Errc e) noexcept;

/// Why a call failed, for the one who waits: the kind, and a sentence that names what was wrong.
struct Failure {
  Errc code{};
  std::string detail;
  /// The handler has not run for sure, though the code leaves that open.
  bool has_not_run = false;
};

}  // namespace rp::pipe

template <>
struct boost::system::is_error_code_enum<rp::pipe::Errc> : std::true_type {};
