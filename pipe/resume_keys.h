#pragma once

#include <string>
#include <string_view>

namespace rp::pipe {

/// What allows to take up one session on another link, on the side that accepts: the session's id,
/// and a secret that changes with every link (docs/wire.md, "Resumption").
///
/// The peer may lose a link before it has heard of the new secret, so the one that it last used
/// stays good until it has shown that the new one arrived.
class ResumeKeys {
 public:
  static constexpr std::size_t kIdBytes = 16;
  static constexpr std::size_t kSecretBytes = 32;

  /// A fresh session. Throws std::runtime_error when the system gives no random bytes.
  ResumeKeys();

  const std::string& session_id() const { return session_id_; }
  /// The secret for our HELLO on the present link.
  const std::string& secret() const { return offered_; }

  /// Whether `secret` is good now; takes the same time whatever it is.
  bool admits(std::string_view secret) const;

  /// A link whose peer has shown `secret`, which admits() has taken, goes on with this session: a
  /// new secret is to be offered.
  void renew(std::string_view secret);
  /// The peer has our last HELLO: earlier secrets get nothing any more.
  void confirm() { used_.clear(); }

 private:
  std::string session_id_;
  std::string offered_;
  std::string used_;  // good beside the offered one until confirm(); else empty
};

}  // namespace rp::pipe
