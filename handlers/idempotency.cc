#include "handlers/idempotency.h"

#include <algorithm>
#include <utility>

#include "handlers/keyed_call.h"

namespace rp::handlers {

using pipe::Clock;

struct KeyWindow::Entry {
  std::string id;
  Digest head;
  std::optional<Digest> body;  // none while it has not all come, or was not needed
  bool running = true;
  std::weak_ptr<KeyedCall> call;

  std::shared_ptr<const KeptAnswer> answer;
  std::string why_not_kept;
  Clock::time_point ended_at;
  std::size_t bytes = 0;
};

namespace {

// What an entry costs beside its texts: itself, its places in the map and the list.
constexpr std::size_t kEntryBytes = 400;

bool is_visible_ascii(char c) { return c > ' ' && c < 0x7f; }

std::string make_id(std::string_view caller, std::string_view key) {
  return std::string(caller).append(1, '\0').append(key);
}

std::size_t bytes_of(const KeptAnswer& answer) {
  auto bytes = answer.body.size() + answer.head.content_type.size();
  for (const auto& header : answer.head.headers) {
    bytes += sizeof header + header.name.size() + header.value.size();
  }
  return bytes;
}

}  // namespace

std::optional<std::string_view> find_key(const pipe::Headers& headers) {
  const auto is_key = [](const pipe::Header& header) { return header.name == kKeyHeader; };
  const auto first = std::find_if(headers.begin(), headers.end(), is_key);
  if (first == headers.end()) return std::string_view();
  const std::string_view key = first->value;
  const bool once = std::none_of(first + 1, headers.end(), is_key);
  const bool good = !key.empty() && key.size() <= kKeyBytesMax &&
                    std::all_of(key.begin(), key.end(), is_visible_ascii);
  return once && good ? std::optional(key) : std::nullopt;
}

std::string key_rule() {
  return "the header Idempotency-Key takes 1 to " + std::to_string(kKeyBytesMax) +
         " visible ASCII characters, and comes once";
}

Digest head_digest(const pipe::Event& event) {
  Sha256 hash;
  for (const auto& field : {event.verb, event.noun, event.query, event.content_type}) {
    hash.update_field(field);
  }
  return hash.finish();
}

Digest body_digest(std::string_view body) {
  Sha256 hash;
  hash.update(body);
  return hash.finish();
}

KeyWindow::Found KeyWindow::look(std::string_view caller, std::string_view key, const Digest& head,
                                 const std::optional<Digest>& body, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  make_room(now);
  const auto [at, is_new] = entries_.try_emplace(make_id(caller, key));
  if (!is_new) return judge(at->second, head, body);
  at->second = std::make_shared<Entry>();
  at->second->id = at->first;
  at->second->head = head;
  at->second->body = body;
  return {Verdict::first, at->second, nullptr, {}, nullptr};
}

KeyWindow::Found KeyWindow::judge(const Handle& entry, const Digest& head,
                                  const std::optional<Digest>& body) const {
  const bool other_body = entry->body && body && *entry->body != *body;
  if (entry->head != head || other_body) {
    return {Verdict::other_request, entry, nullptr, {}, nullptr};
  }
  if (entry->running) {
    // Whoever may join the running call must be known to ask the same.
    const bool same_body = entry->body && body;
    return {Verdict::in_use, entry, nullptr, {}, same_body ? entry->call.lock() : nullptr};
  }
  if (entry->body && !body) return {Verdict::compare_body, entry, nullptr, {}, nullptr};
  if (entry->answer) return {Verdict::answered, entry, entry->answer, {}, nullptr};
  return {Verdict::not_kept, entry, nullptr, entry->why_not_kept, nullptr};
}

KeyWindow::Found KeyWindow::same(const Handle& entry, const Digest& body) const {
  const std::lock_guard lock(mutex_);
  return judge(entry, entry->head, body);
}

void KeyWindow::set_call(const Handle& entry, std::weak_ptr<KeyedCall> call) {
  const std::lock_guard lock(mutex_);
  entry->call = std::move(call);
}

void KeyWindow::set_body(const Handle& entry, const Digest& body) {
  const std::lock_guard lock(mutex_);
  entry->body = body;
}

void KeyWindow::finish(const Handle& entry, KeptAnswer answer, Clock::time_point now) {
  const auto bytes = bytes_of(answer);
  auto kept = std::make_shared<const KeptAnswer>(std::move(answer));
  const std::lock_guard lock(mutex_);
  if (!entry->running) return;
  entry->answer = std::move(kept);
  end(entry, bytes, now);
}

void KeyWindow::finish_without_answer(const Handle& entry, std::string why, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (!entry->running) return;
  entry->why_not_kept = std::move(why);
  end(entry, entry->why_not_kept.size(), now);
}

void KeyWindow::end(const Handle& entry, std::size_t answer_bytes, Clock::time_point now) {
  entry->running = false;
  entry->call.reset();
  entry->ended_at = now;
  entry->bytes = kEntryBytes + 2 * entry->id.size() + answer_bytes;
  bytes_ += entry->bytes;
  ended_.push_back(entry);
  make_room(now);
}

void KeyWindow::make_room(Clock::time_point now) {
  while (!ended_.empty()) {
    const auto& oldest = *ended_.front();
    if (bytes_ <= limits_.bytes_max && ended_.size() <= kKeysMax &&
        now - oldest.ended_at < limits_.age_max) {
      return;
    }
    bytes_ -= oldest.bytes;
    entries_.erase(oldest.id);
    ended_.pop_front();
  }
}

void KeyWindow::forget(const Handle& entry) {
  const std::lock_guard lock(mutex_);
  if (entry->running) entries_.erase(entry->id);
  entry->running = false;
}

std::size_t KeyWindow::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::size_t KeyWindow::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace rp::handlers
