#include "queue/ledger.h"

#include <utility>

#include "pipe/log.h"

namespace rp::queue {
namespace {

constexpr std::size_t kBatchBytesMax = 16 * 1'024 * 1'024;

/// Keys hold bytes of every kind.
std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace

std::optional<std::string> Ledger::get(std::string_view key, MessageId id) {
  if (changed_.contains(id)) settle();
  return read(key);
}

std::optional<std::string> Ledger::get(std::string_view key) {
  settle();
  return read(key);
}

Scanned Ledger::scan(std::string_view first, std::string_view last, std::size_t entries_max,
                     std::size_t bytes_max) {
  settle();
  auto scanned = store_.scan(first, last, entries_max, bytes_max);
  for (std::uint64_t i = 0; i < scanned.damaged; ++i) report_damage("a stretch of records", first);
  for (std::uint64_t i = 0; i < scanned.unreadable; ++i) report_unreadable(first);
  return scanned;
}

void Ledger::settle() {
  if (batch_.empty() && !change_wanted_) return;
  write(false);
  unsynced_ = true;
}

void Ledger::relieve() {
  if (batch_.bytes() >= kBatchBytesMax) settle();
}

void Ledger::commit() {
  // What a group without a sync has written is covered by the next sync, whoever asks for it.
  const bool sync = std::exchange(sync_wanted_, false);
  if (!batch_.empty() || change_wanted_) {
    write(sync);
    ++commits_;
    if (sync) ++syncs_;
  } else if (sync && unsynced_) {
    check(store_.sync());
    ++syncs_;
  }
  unsynced_ = false;
}

void Ledger::write(bool sync) {
  complete_(batch_);
  check(store_.write(batch_, sync));
  batch_.clear();
  changed_.clear();
  change_wanted_ = false;
}

void Ledger::forget() {
  batch_.clear();
  changed_.clear();
  sync_wanted_ = change_wanted_ = unsynced_ = false;
}

void Ledger::report_damage(std::string_view what, std::string_view key) {
  ++damaged_;
  log(LogLevel::error, "queue", "stored bytes are damaged and will not be served",
      {{"what", what}, {"key", hex(key)}});
}

std::optional<std::string> Ledger::read(std::string_view key) {
  auto value = store_.get(key);
  if (value) return std::move(*value);
  if (value.error().code == Errc::damaged) {
    report_damage("a record", key);
  } else {
    report_unreadable(key);
  }
  throw Unreadable{value.error()};
}

void Ledger::report_unreadable(std::string_view key) {
  ++unreadable_;
  log(LogLevel::error, "queue", "stored bytes cannot be read now and are passed over",
      {{"key", hex(key)}});
}

void Ledger::check(const Status& status) {
  if (!status) throw StoreFailed{status.error()};
}

}  // namespace rp::queue
