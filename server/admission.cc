#include "server/admission.h"

#include <algorithm>
#include <utility>

namespace rp::server {

Admission::Ticket Admission::enter(const std::string& source, std::function<void()> close) {
  std::function<void()> evict;
  Ticket ticket = 0;
  {
    const std::lock_guard lock(mutex_);
    const bool source_full = per_source_[source] >= limits_.per_source_max;
    if (source_full || entries_.size() >= limits_.total_max) {
      auto oldest = entries_.begin();
      if (source_full) {
        oldest = std::find_if(oldest, entries_.end(),
                              [&](const Entry& entry) { return entry.source == source; });
      }
      evict = std::move(oldest->close);
      erase(oldest);
      ++evicted_;
    }
    ticket = ++last_ticket_;
    entries_.push_back({ticket, source, std::move(close)});
    by_ticket_[ticket] = std::prev(entries_.end());
    ++per_source_[source];
  }
  if (evict) evict();
  return ticket;
}

void Admission::leave(Ticket ticket) {
  const std::lock_guard lock(mutex_);
  const auto found = by_ticket_.find(ticket);
  if (found != by_ticket_.end()) erase(found->second);
}

Admission::Entries::iterator Admission::erase(Entries::iterator at) {
  by_ticket_.erase(at->ticket);
  const auto count = per_source_.find(at->source);
  if (--count->second == 0) per_source_.erase(count);
  return entries_.erase(at);
}

std::size_t Admission::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::uint64_t Admission::evicted() const {
  const std::lock_guard lock(mutex_);
  return evicted_;
}

}  // namespace rp::server
