#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipe/error.h"

namespace rp::server {

/// The sessions of clients, with and without a link: where a client that comes back finds its own.
///
/// An identity has one session at most, and its links are ordered as they were accepted: one that
/// was accepted earlier never takes anything from one that was accepted later. So a connection that
/// lay in a queue while its client had given it up and dialled again does no harm.
///
/// All members are safe from any thread.
class SessionStore {
 public:
  struct Session {
    std::uint64_t number = 0;  ///< of its first link; never used twice
    std::string identity;
    std::string id;                       ///< 16 random bytes; empty where the client cannot resume
    std::size_t thread = 0;               ///< index of the thread on which it lives
    std::function<void(pipe::Errc)> end;  ///< from any thread
  };

  explicit SessionStore(std::size_t sessions_max) : sessions_max_(sessions_max) {}

  /// A link begins a session, which takes the place of the identity's present one: that is
  /// returned, for the caller to end. Errors: replaced, a link that was accepted later has come;
  /// overloaded, there is no room.
  pipe::Result<std::optional<Session>> add(Session session);
  /// Forgets the session, unless another one has taken its place.
  void remove(const std::string& identity, std::uint64_t number);

  /// The session `id`, if it is this identity's, for the link that presents it. Errors:
  /// unknown_peer, there is none; replaced, as above.
  pipe::Result<Session> claim(const std::string& id, const std::string& identity,
                              std::uint64_t link);

  /// A link of the session was lost, or came again.
  void detached(const std::string& identity, std::uint64_t number);
  void resumed(const std::string& identity, std::uint64_t number);

  /// Whose session lasts, sorted.
  std::vector<std::string> identities() const;

  std::size_t size() const;
  std::size_t detached_count() const;
  std::uint64_t resumes() const;

 private:
  struct Entry {
    Session session;
    std::uint64_t newest_link = 0;
    bool is_detached = false;
  };

  void erase(const std::string& identity);
  Entry* find(const std::string& identity, std::uint64_t number);

  const std::size_t sessions_max_;
  mutable std::mutex mutex_;  // guards the rest
  std::unordered_map<std::string, Entry> by_identity_;
  std::unordered_map<std::string, std::string> identity_by_id_;
  std::size_t detached_ = 0;
  std::uint64_t resumes_ = 0;
};

}  // namespace rp::server
