// What Linger tells about itself, in one flat object.
#include <algorithm>
#include <sys/resource.h>

#include <unistd.h>

#include "handlers/linger/linger_call.h"
#include "handlers/linger/message_options.h"
#include "handlers/sdk/json_text.hpp"

namespace rp::handlers::linger {
namespace {

/// Members one after another; counters that are zero are left out, as Linger does.
class StatsText {
 public:
  void add_counter(std::string_view key, std::uint64_t value) {
    if (value != 0) add(key, value);
  }
  template <class T>
  void add(std::string_view key, const T& value) {
    text_.append(text_.size() > 1 ? ", " : "");
    append_json_string(text_, key);
    text_.append(": ").append(Json(value).text());
  }
  std::string take() { return std::move(text_) + '}'; }

 private:
  std::string text_ = "{";
};

void add_counters(StatsText& text, const queue::EngineCounters& counters, const Face& face) {
  const auto back = counters.timed_out + counters.nacked + counters.given_back;
  const std::uint64_t handed_on = face.handed_on;
  text.add_counter("msg-add", counters.added);
  text.add_counter("msg-get", face.gets);
  text.add_counter("msg-show", counters.added + back - std::min(counters.added + back, handed_on));
  text.add_counter("msg-hide", counters.delivered + counters.touched);
  text.add_counter("delivered", counters.delivered);
  text.add_counter("msg-delete", counters.acknowledged + counters.expired + counters.dropped);
  text.add_counter("msg-touch", counters.touched);
  text.add_counter("msg-timeouts", counters.timed_out);
  text.add_counter("msg-retention", counters.expired);
  text.add_counter("publish", counters.published);
  text.add_counter("channel-create", counters.channels_created);
  text.add_counter("channel-remove", counters.channels_removed);
  text.add_counter("channel-drain", counters.purges);
  text.add_counter("subscription-add", counters.subscriptions_added);
  text.add_counter("subscription-delete", counters.subscriptions_removed);
  text.add_counter("msg-duplicate", counters.duplicates);
  text.add_counter("msg-dead", counters.dead_lettered);
  text.add_counter("msg-redrive", counters.redriven);
  text.add_counter("msg-refused", counters.refused);
  text.add_counter("msg-damaged", counters.damaged);
  text.add_counter("commits", counters.commits);
  text.add_counter("syncs", counters.syncs);
}

void add_current(StatsText& text, const queue::EngineStats& stats) {
  text.add("current-topics", stats.topics);
  text.add("current-subscriptions", stats.subscriptions);
  text.add("current-channels", stats.channels);
  text.add("current-messages", stats.all.messages());
  text.add("current-messages-ready", stats.all.ready);
  text.add("current-messages-hidden", stats.all.hidden());
  text.add("current-messages-urgent", stats.all.urgent);
  text.add("current-messages-niced", stats.all.niced);
  text.add("current-bytes", stats.all.body_bytes);
  text.add("current-waiters", stats.all.waiters);
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

void add_process(StatsText& text) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  text.add("pid", ::getpid());
  text.add("rusage-utime", seconds(usage.ru_utime));
  text.add("rusage-stime", seconds(usage.ru_stime));
}

std::string stats_text(const queue::EngineStats& stats, const Face& face) {
  using Seconds = std::chrono::duration<double>;
  StatsText text;
  add_counters(text, stats.counters, face);
  text.add("start", Seconds(face.started_at.time_since_epoch()).count());
  add_current(text, stats);
  text.add("current-uptime", Seconds(std::chrono::steady_clock::now() - face.up_since).count());
  const bool in_memory = face.options.db_file == LingerOptions().db_file;
  text.add("db-file", face.options.db_file);
  text.add("db-size", in_memory ? -1 : static_cast<std::int64_t>(stats.store_bytes));
  add_process(text);
  text.add("version", kVersion);
  // The largest id that is present is not kept apart; with none present there is no such id.
  const bool any = stats.all.messages() != 0;
  text.add("msg-max-id", any ? std::optional(stats.id_last) : std::nullopt);
  text.add("msg-max-size", kMessageBytesMax);
  text.add("id", face.engine.store_id());
  text.add("hostname", face.hostname);
  return text.take();
}

}  // namespace

void LingerCall::stats() {
  face_->engine.stats(answered_by<queue::EngineStats>([](LingerCall& call, const auto& stats) {
    call.answer_json(stats_text(stats, *call.face_));
  }));
}

}  // namespace rp::handlers::linger
