#include "server/session_store.h"

#include <algorithm>
#include <utility>

namespace rp::server {

using pipe::Errc;

pipe::Result<std::optional<SessionStore::Session>> SessionStore::add(Session session) {
  const std::lock_guard lock(mutex_);
  const std::string identity = session.identity;
  std::optional<Session> replaced;
  if (const auto old = by_identity_.find(identity); old != by_identity_.end()) {
    if (old->second.newest_link > session.number) return Errc::replaced;
    replaced = old->second.session;
    erase(identity);
  } else if (by_identity_.size() >= sessions_max_) {
    return Errc::overloaded;
  }
  const std::uint64_t number = session.number;
  if (!session.id.empty()) identity_by_id_[session.id] = identity;
  by_identity_[identity] = {.session = std::move(session), .newest_link = number};
  return replaced;
}

void SessionStore::remove(const std::string& identity, std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  if (find(identity, number)) erase(identity);
}

pipe::Result<SessionStore::Session> SessionStore::claim(const std::string& id,
                                                        const std::string& identity,
                                                        std::uint64_t link) {
  const std::lock_guard lock(mutex_);
  const auto found = identity_by_id_.find(id);
  if (found == identity_by_id_.end() || found->second != identity) return Errc::unknown_peer;
  Entry& entry = by_identity_.at(identity);
  if (entry.newest_link > link) return Errc::replaced;
  entry.newest_link = link;
  return entry.session;
}

void SessionStore::detached(const std::string& identity, std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  Entry* const entry = find(identity, number);
  if (entry && !std::exchange(entry->is_detached, true)) ++detached_;
}

void SessionStore::resumed(const std::string& identity, std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  ++resumes_;
  Entry* const entry = find(identity, number);
  if (entry && std::exchange(entry->is_detached, false)) --detached_;
}

SessionStore::Entry* SessionStore::find(const std::string& identity, std::uint64_t number) {
  const auto found = by_identity_.find(identity);
  if (found == by_identity_.end() || found->second.session.number != number) return nullptr;
  return &found->second;
}

void SessionStore::erase(const std::string& identity) {
  const auto found = by_identity_.find(identity);
  if (found->second.is_detached) --detached_;
  identity_by_id_.erase(found->second.session.id);
  by_identity_.erase(found);
}

std::vector<std::string> SessionStore::identities() const {
  std::vector<std::string> identities;
  {
    const std::lock_guard lock(mutex_);
    identities.reserve(by_identity_.size());
    for (const auto& entry : by_identity_) identities.push_back(entry.first);
  }
  std::sort(identities.begin(), identities.end());
  return identities;
}

std::size_t SessionStore::size() const {
  const std::lock_guard lock(mutex_);
  return by_identity_.size();
}

std::size_t SessionStore::detached_count() const {
  const std::lock_guard lock(mutex_);
  return detached_;
}

std::uint64_t SessionStore::resumes() const {
  const std::lock_guard lock(mutex_);
  return resumes_;
}

}  // namespace rp::server
