#include "pipe/error.h"

namespace rp::pipe {
namespace {

struct Words {
  std::string_view name;
  std::string_view sentence;
};

Words words(Errc e) noexcept {
  switch (e) {
    case Errc::frame_too_large:
      return {"frame_too_large", "a frame exceeds the size limit"};
    case Errc::unknown_frame_type:
      return {"unknown_frame_type", "a frame has an unknown type"};
    case Errc::malformed_frame:
      return {"malformed_frame", "a frame does not parse"};
    case Errc::protocol_violation:
      return {"protocol_violation", "the peer broke the protocol"};
    case Errc::version_mismatch:
      return {"version_mismatch", "the peer speaks no common protocol version"};
    case Errc::heartbeat_missed:
      return {"heartbeat_missed", "the peer went silent"};
    case Errc::handshake_timeout:
      return {"handshake_timeout", "the handshake took too long"};
    case Errc::link_lost:
      return {"link_lost", "the connection to the peer broke"};
    case Errc::session_lost:
      return {"session_lost",
              "the pipe broke after the request was sent; the handler may have run"};
    case Errc::not_sent:
      return {"not_sent", "the pipe broke before the request was sent; the handler did not run"};
    case Errc::deadline_exceeded:
      return {"deadline_exceeded", "the request's time ran out"};
    case Errc::cancelled:
      return {"cancelled", "the caller gave the request up"};
    case Errc::overloaded:
      return {"overloaded", "too much is in flight; the handler did not run"};
    case Errc::replaced:
      return {"replaced", "a newer pipe of the same identity took over"};
    case Errc::draining:
      return {"draining", "the node is shutting down and takes no new requests"};
    case Errc::peer_unavailable:
      return {"peer_unavailable", "no pipe to the peer within the connection wait"};
    case Errc::unknown_peer:
      return {"unknown_peer", "no node has that name and it does not resolve"};
    case Errc::ambiguous_peer:
      return {"ambiguous_peer", "several connected nodes share that address"};
    case Errc::body_too_large:
      return {"body_too_large", "the body exceeds the limit"};
    case Errc::resolve_failed:
      return {"resolve_failed", "the name could not be resolved"};
    case Errc::bad_identity:
      return {"bad_identity", "the peer's certificate carries no usable identity"};
    case Errc::handler_failed:
      return {"handler_failed", "the handler broke off its reply"};
    case Errc::revoked:
      return {"revoked", "the peer's certificate has been revoked"};
    case Errc::stopped:
      return {"stopped", "this node is shutting down"};
    case Errc::forbidden:
      return {"forbidden", "the policy of that node does not allow the call"};
    case Errc::key_in_use:
      return {"key_in_use", "a request with this Idempotency-Key is still running"};
    case Errc::key_reused:
      return {"key_reused", "this Idempotency-Key was used for another request"};
    case Errc::handler_crashed:
      return {"handler_crashed", "the handler's process ended before it had answered"};
    case Errc::handler_unavailable:
      return {"handler_unavailable", "the program that answers could not be reached; nothing ran"};
  }
  return {"unknown", "unknown error"};
}

class Category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "restpipe.pipe"; }
  std::string message(int value) const override {
    return std::string(words(static_cast<Errc>(value)).sentence);
  }
};

}  // namespace

std::string_view name(Errc e) noexcept { return words(e).name; }

const boost::system::error_category& category() noexcept {
  static const Category instance;
  return instance;
}

error_code make_error_code(Errc e) noexcept { return {static_cast<int>(e), category()}; }

}  // namespace rp::pipe
