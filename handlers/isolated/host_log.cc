#include "handlers/isolated/host_log.h"

#include <array>
#include <mutex>
#include <utility>

namespace rp::handlers {

struct HostLog::State {
  State(pipe::Session& s, pipe::IoThread& t) : session(&s), thread(t) {}

  pipe::Session* session;  // touched on the thread only; null once the log has stepped back
  pipe::IoThread& thread;
  std::atomic<std::size_t> waiting{0};
  std::atomic<std::size_t> dropped{0};
};

/// One line, until the node has it.
class HostLog::Sent final : public pipe::Caller {
 public:
  explicit Sent(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~Sent() override { --state_->waiting; }

  void reply(pipe::ReplyHead&&, std::string&&) override {}
  void begin(pipe::ReplyHead&&) override {}
  void data(std::string) override {}
  void end() override {}
  void fail(pipe::Failure) override {}

 private:
  const std::shared_ptr<State> state_;
};

namespace {

std::mutex current_mutex;  // guards the next; threads of a plugin may log at any time
std::weak_ptr<void> current;

/// As much of `text` as is left of `bytes`.
std::string cut(std::string_view text, std::size_t& bytes) {
  const auto kept = text.substr(0, bytes);
  bytes -= kept.size();
  return std::string(kept);
}

template <std::size_t... I>
void log_with(const HostLogLine& line, std::array<LogField, sizeof...(I)> fields,
              std::index_sequence<I...>) {
  log(line.level, line.component, line.message, {std::move(fields[I])...});
}

/// rp::log() takes a list of fields whose length is known when it is compiled.
template <std::size_t N>
void log_fields(const HostLogLine& line, const std::vector<LogField>& fields) {
  if (fields.size() < N) {
    if constexpr (N > 1) return log_fields<N - 1>(line, fields);
  }
  const auto pick = [&]<std::size_t... I>(std::index_sequence<I...> indices) {
    log_with(line, std::array<LogField, N>{fields[I]...}, indices);
  };
  pick(std::make_index_sequence<N>());
}

}  // namespace

HostLog::HostLog(pipe::Session& session, pipe::IoThread& thread, LogLevel level)
    : state_(std::make_shared<State>(session, thread)) {
  {
    const std::lock_guard lock(current_mutex);
    current = state_;
  }
  set_log_sink(&write, level);
}

HostLog::~HostLog() {
  const std::lock_guard lock(current_mutex);
  current.reset();
  state_->session = nullptr;
}

void HostLog::write(const LogLine& line) {
  std::shared_ptr<State> state;
  {
    const std::lock_guard lock(current_mutex);
    state = std::static_pointer_cast<State>(current.lock());
  }
  if (!state) return;
  if (++state->waiting > kWaitingMax) {
    --state->waiting;
    ++state->dropped;
    return;
  }
  std::size_t left = kLineBytesMax;
  HostLogLine copy{line.level, cut(line.component, left), cut(line.message, left), {}};
  for (const auto& field : line.fields) {
    if (copy.fields.size() == kFieldsMax) break;
    auto key = cut(field.key, left);
    copy.fields.emplace_back(std::move(key), cut(field.value, left));
  }
  send(state, encode(copy));
}

void HostLog::send(const std::shared_ptr<State>& state, std::string line) {
  state->thread.post([state, sent = std::make_shared<Sent>(state),
                      line = std::move(line)]() mutable {
    if (state->session == nullptr) return;
    const auto now = pipe::Clock::now();
    (void)state->session->call(host_event(host_noun::log), std::move(line), std::move(sent), now);
    if (const auto dropped = state->dropped.exchange(0); dropped > 0) {
      const HostLogLine note{LogLevel::warning,
                             "plugin",
                             "Lines of the log were dropped",
                             {{"count", std::to_string(dropped)}}};
      ++state->waiting;
      (void)state->session->call(host_event(host_noun::log), encode(note),
                                 std::make_shared<Sent>(state), now);
    }
  });
}

void log_from_host(const std::string& plugin, const HostLogLine& line) {
  if (!log_enabled(line.level)) return;
  std::vector<LogField> fields;
  fields.emplace_back("plugin", plugin);
  for (const auto& [key, value] : line.fields) {
    if (key != "plugin" && fields.size() <= HostLog::kFieldsMax) fields.emplace_back(key, value);
  }
  log_fields<HostLog::kFieldsMax + 1>(line, fields);
}

}  // namespace rp::handlers
