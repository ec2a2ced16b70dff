// What the passing of time decides, and what is read when the store is opened.
#include <algorithm>
#include <array>

#include "pipe/log.h"
#include "queue/core.h"

namespace rp::queue {
namespace {

// Changes of one group that time alone makes; the rest follows in the next group, at once.
constexpr int kDuePerGroup = 1'000;
constexpr std::int64_t kTimeStoredEvery = 1'000;
constexpr std::int64_t kTidyEvery = 5'000;
constexpr std::size_t kSweptAtOnce = 1'000;
// What could not be read is tried again, for whatever was in the way may be gone.
constexpr std::int64_t kUnreadableAgain = 10'000;
// The wall clock may be set, so what is looked up by it is looked up again now and then.
constexpr Milliseconds kLookAgain{1'000};
// A channel without messages is forgotten this long after its last use.
constexpr std::int64_t kIdleChannelKept = 10'000;
constexpr std::uint64_t kFormat = 1;
constexpr std::string_view kFormatName = "format";
constexpr std::string_view kTimeName = "time";
constexpr std::string_view kIdName = "store_id";

std::int64_t to_ms(std::chrono::system_clock::time_point at) {
  return std::chrono::duration_cast<Milliseconds>(at.time_since_epoch()).count();
}

std::string random_id() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::random_device random;
  std::string id;
  for (int i = 0; i < 32; ++i) id += kDigits[random() & 15];
  return id;
}

std::mt19937_64 seeded() {
  std::random_device random;
  std::seed_seq seed{random(), random(), random(), random(),
                     random(), random(), random(), random()};
  return std::mt19937_64(seed);
}

Error damage_of(std::string_view what) {
  return {
      .code = Errc::damaged,
      .detail = "the store's record of " + std::string(what) + " is damaged; nothing was changed"};
}

}  // namespace

Core::Core(Store& store, const EngineOptions& options, const Clock& clock)
    : store_(store),
      options_(options),
      clock_(clock),
      ledger_(store,
              [this](Batch& batch) {
                channels_.write_changes(batch);
                messages_.write_changes(batch);
                if (now_ms_ - time_stored_ms_ < kTimeStoredEvery) return;
                time_stored_ms_ = now_ms_;
                const auto key = keys::meta(kTimeName);
                batch.put(key, encode_number(key, static_cast<std::uint64_t>(now_ms_)));
              }),
      messages_(ledger_, channels_),
      random_(seeded()) {}

Status Core::load() {
  bool fresh = false;
  if (auto status = load_header(fresh); !status) return status;
  if (auto status = load_tables(); !status) return status;
  opened_at_ = clock_.steady();
  // Were the wall clock to go back between two runs, leases and delays would last longer by it.
  opened_ms_ = std::max(to_ms(clock_.wall()), time_stored_ms_);
  read_clock();
  return fresh ? write_header() : Status();
}

Status Core::load_tables() {
  std::string what;
  if (!channels_.load(store_, what)) return damage_of(what);
  if (!topics_.load(store_, what)) return damage_of(what);
  if (!messages_.load(store_, what)) return damage_of(what);
  for (const auto& subscription : topics_.subscriptions({}, {})) {
    ++channels_.make(subscription.channel).subscriptions;
  }
  return {};
}

Status Core::load_header(bool& fresh) {
  const auto format_key = keys::meta(kFormatName);
  const auto format = store_.get(format_key);
  if (!format) return format.error();
  fresh = !*format;
  if (fresh) {
    store_id_ = random_id();
    return {};
  }
  const auto number = decode_number(format_key, **format);
  if (!number) return damage_of("its format");
  if (*number > kFormat) {
    return Error{.code = Errc::unsupported,
                 .detail = "the store has format " + std::to_string(*number) +
                           ", and this version reads formats up to " + std::to_string(kFormat)};
  }
  const auto id_key = keys::meta(kIdName);
  const auto id = store_.get(id_key);
  const auto id_text = id && *id ? unsealed(id_key, **id) : std::nullopt;
  if (!id_text) return damage_of("its id");
  store_id_ = *id_text;
  const auto time_key = keys::meta(kTimeName);
  const auto time = store_.get(time_key);
  if (!time) return damage_of("the time");
  if (!*time) return {};
  const auto time_ms = decode_number(time_key, **time);
  if (!time_ms) return damage_of("the time");
  time_stored_ms_ = static_cast<std::int64_t>(*time_ms);
  return {};
}

Status Core::write_header() {
  Batch batch;
  const auto format_key = keys::meta(kFormatName);
  const auto id_key = keys::meta(kIdName);
  batch.put(format_key, encode_number(format_key, kFormat));
  batch.put(id_key, sealed(id_key, store_id_));
  return store_.write(batch, true);
}

void Core::begin() {
  counters_before_ = counters_;
  read_clock();
  look_again();
  pass_time();
  if (!rewound_) return;
  give_back_undone();
  serve_lines();
}

void Core::begin_asking() {
  ledger_.forget();
  read_clock();
  end_waits();
}

void Core::look_again() {
  if (now_ms_ - looked_again_ms_ < kUnreadableAgain) return;
  looked_again_ms_ = now_ms_;
  const auto unreadable = ledger_.unreadable();
  if (std::exchange(unreadable_before_, unreadable) != unreadable) messages_.look_again();
}

void Core::serve_lines() {
  // Of the group that was undone, parts may be in the store: also messages that waiters have been
  // served with, and wait for again.
  for (const auto& [name, channel] : channels_.by_name()) serve(*channel);
}

void Core::commit() {
  ledger_.commit();
  rewound_ = false;
  leased_.clear();
  undone_.clear();
  for (const auto& waiting : std::exchange(new_waiters_, {})) waiting->is_new = false;
}

Status Core::rewind() {
  rewound_ = true;
  counters_ = counters_before_;
  ledger_.forget();
  for (const auto& waiting : std::exchange(new_waiters_, {})) leave(waiting);
  std::map<std::string, std::list<std::shared_ptr<Waiting>>> lines;
  for (const auto& [name, channel] : channels_.by_name()) {
    if (!channel->waiters.empty()) lines.emplace(name, std::move(channel->waiters));
  }
  channels_.clear();
  topics_.clear();
  messages_.clear();
  auto status = load_tables();
  keep_undone();
  for (auto& [name, line] : lines) channels_.make(name).waiters = std::move(line);
  for (auto served = served_.rbegin(); served != served_.rend(); ++served) {
    if (!std::exchange(served->waiting->is_new, false)) wait(served->waiting, true);
  }
  served_.clear();
  return status;
}

void Core::keep_undone() {
  undone_.insert(undone_.end(), leased_.begin(), leased_.end());
  leased_.clear();
  // Only those that are in the store, so that no number of failures makes this long.
  std::erase_if(undone_, [&](const Lease& lease) {
    try {
      return !find_leased(lease);
    } catch (const Unreadable&) {
      return true;  // it ends by itself
    }
  });
}

void Core::give_back_undone() {
  const auto given_back = counters_.given_back;
  give_back(undone_);
  counters_.given_back = given_back;  // their deliveries are not counted either
}

void Core::read_clock() {
  const auto elapsed = clock_.steady() - opened_at_;
  now_ms_ = opened_ms_ + std::chrono::duration_cast<Milliseconds>(elapsed).count();
  wall_ahead_ms_ = to_ms(clock_.wall()) - now_ms_;
}

WallTime Core::wall_of(std::int64_t ms) const { return WallTime(Milliseconds(ms)); }

void Core::pass_time() {
  int left = kDuePerGroup;
  // In the order of time, so that the outcome is the same whenever this looks. At the same moment
  // retention goes first: what is past it is not worth a dead letter.
  for (; left > 0; --left) {
    const auto expired = messages_.first_due(keys::Table::expiry, now_ms_);
    const auto shown = messages_.first_due(keys::Table::hidden_until, now_ms_);
    if (!expired && !shown) break;
    if (expired && (!shown || expired->time_ms <= shown->time_ms)) {
      decide_due(keys::Table::expiry, *expired);
    } else {
      decide_due(keys::Table::hidden_until, *shown);
    }
  }
  for (; left > 0; --left) {
    const auto due = messages_.first_due(keys::Table::dedup_expiry, now_ms_);
    if (!due) break;
    decide_due(keys::Table::dedup_expiry, *due);
  }
  end_waits();
}

void Core::decide_due(keys::Table table, keys::Due due) {
  ledger_.relieve();
  try {
    if (table == keys::Table::expiry) return expire(due);
    if (table == keys::Table::hidden_until) return release(due);
    messages_.forget_dedup(due);
  } catch (const Unreadable&) {
    messages_.pass_over(table, due);
  }
}

void Core::expire(keys::Due due) {
  const auto card = messages_.find(due.id);
  if (card && card->expires_at_ms == due.time_ms) {
    ++counters_.expired;
    messages_.erase(*card);
  } else {
    messages_.drop_due(keys::Table::expiry, due);
  }
}

void Core::release(keys::Due due) {
  const auto card = messages_.find(due.id);
  const bool current =
      card && card->state != MessageState::ready && card->shown_at_ms == due.time_ms;
  const auto record = current ? messages_.read(*card) : std::nullopt;
  if (!record) return messages_.drop_due(keys::Table::hidden_until, due);
  if (record->state == MessageState::leased) ++counters_.timed_out;
  end_delivery(*card, *record);
}

void Core::end_waits() {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ms_) {
    auto waiting = deadlines_.begin()->second;
    stop_waiting(waiting);
    served_.push_back({std::move(waiting), std::vector<Delivery>()});
  }
}

Milliseconds Core::until_next() const {
  auto next = now_ms_ + kLookAgain.count();
  for (const auto table : {keys::Table::hidden_until, keys::Table::expiry}) {
    if (const auto due = messages_.next_due(table)) next = std::min(next, *due);
  }
  if (!deadlines_.empty()) next = std::min(next, deadlines_.begin()->first);
  return Milliseconds(std::max<std::int64_t>(next - now_ms_, 0));
}

bool Core::tidy() {
  const bool more = messages_.has_to_sweep() && messages_.sweep(kSweptAtOnce);
  if (now_ms_ - tidied_ms_ < kTidyEvery) return more;
  tidied_ms_ = now_ms_;
  drop_idle_channels();
  return more;
}

void Core::drop_idle_channels() {
  std::vector<Channel*> idle;
  for (const auto& [name, channel] : channels_.by_name()) {
    if (is_listed(*channel) || now_ms_ - channel->used_at_ms < kIdleChannelKept) continue;
    idle.push_back(channel.get());
  }
  for (auto* channel : idle) {
    ++counters_.channels_removed;
    channels_.remove(*channel, ledger_.batch());
  }
}

}  // namespace rp::queue
