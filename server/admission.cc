#include "server/admission.h"

#include <algorithm>
#include <utility>

namespace rp::server {

Admission::Ticket Admission::enter(const std::string& source, Clock::time_point now,
                                   std::function<void()> close) {
  std::function<void()> evict;
  Ticket ticket = 0;
  {
    const std::lock_guard lock(mutex_);
    const bool was_crowded = is_crowded();
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
    if (++per_source_[source] == crowd_of_source()) ++crowded_sources_;
    if (!was_crowded && is_crowded()) progress_at_ = now;
  }
  if (evict) evict();
  return ticket;
}

void Admission::let_in(Ticket ticket, Clock::time_point now) {
  leave(ticket);
  const std::lock_guard lock(mutex_);
  progress_at_ = now;
}

void Admission::leave(Ticket ticket) {
  const std::lock_guard lock(mutex_);
  const auto found = by_ticket_.find(ticket);
  if (found != by_ticket_.end()) erase(found->second);
}

Admission::Entries::iterator Admission::erase(Entries::iterator at) {
  by_ticket_.erase(at->ticket);
  const auto count = per_source_.find(at->source);
  if (count->second == crowd_of_source()) --crowded_sources_;
  if (--count->second == 0) per_source_.erase(count);
  return entries_.erase(at);
}

std::size_t Admission::crowd_of_source() const {
  return std::max<std::size_t>(1, limits_.per_source_max * 3 / 4);
}

bool Admission::is_crowded() const {
  const std::size_t crowd = std::max<std::size_t>(1, limits_.total_max / 4);
  return entries_.size() >= crowd || crowded_sources_ > 0;
}

bool Admission::should_wait(Clock::time_point now) const {
  const std::lock_guard lock(mutex_);
  return is_crowded() && now < progress_at_ + kProgress;
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
