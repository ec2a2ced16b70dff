#include "node/metrics.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <map>

namespace rp::node {
namespace {

[[maybe_unused]] bool is_name(std::string_view name, bool colon_allowed) {
  const auto letter = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (colon_allowed && c == ':');
  };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && !digit(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

/// Escaping of the text format: label values know three special characters, help texts two.
std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

/// Shortest form that reads back; `plain` leaves out exponents, for bounds between 0.0001 and 60.
std::string number(double value, bool plain = false) {
  std::array<char, 32> buffer;
  char* const last = buffer.data() + buffer.size();
  const auto [end, error] =
      plain ? std::to_chars(buffer.data(), last, value, std::chars_format::fixed)
            : std::to_chars(buffer.data(), last, value);
  assert(error == std::errc());
  static_cast<void>(error);
  return {buffer.data(), end};
}

/// `a="1",b="2"`, the text between the braces.
std::string label_text(const Labels& labels) {
  std::string out;
  for (const Label& label : labels) {
    assert(is_name(label.name, false));
    if (!out.empty()) out.push_back(',');
    out += label.name + "=\"" + escaped(label.value, true) + '"';
  }
  return out;
}

void append_sample(std::string& out, std::string_view name, std::string_view suffix,
                   std::string_view labels, std::string_view value) {
  out.append(name).append(suffix);
  if (!labels.empty()) out.append("{").append(labels).append("}");
  out.append(" ").append(value).append("\n");
}

void append_histogram(std::string& out, std::string_view name, const std::string& labels,
                      const Histogram& histogram) {
  const Histogram::Snapshot snapshot = histogram.snapshot();
  const std::string separator = labels.empty() ? "" : ",";
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < snapshot.buckets.size(); ++i) {
    cumulative += snapshot.buckets[i];
    const bool last = i == Histogram::kBoundsUs.size();
    const std::string bound =
        last ? "+Inf" : number(static_cast<double>(Histogram::kBoundsUs[i]) / 1e6, true);
    append_sample(out, name, "_bucket", labels + separator + "le=\"" + bound + '"',
                  std::to_string(cumulative));
  }
  append_sample(out, name, "_sum", labels, number(snapshot.sum_seconds));
  append_sample(out, name, "_count", labels, std::to_string(snapshot.count));
}

}  // namespace

void Histogram::observe(std::chrono::nanoseconds duration) noexcept {
  const std::int64_t ns = std::max<std::int64_t>(duration.count(), 0);
  const auto bound =
      std::find_if(kBoundsUs.begin(), kBoundsUs.end(), [&](auto us) { return ns <= us * 1'000; });
  const auto index = static_cast<std::size_t>(bound - kBoundsUs.begin());
  buckets_[index].fetch_add(1, std::memory_order_relaxed);
  sum_ns_.fetch_add(static_cast<std::uint64_t>(ns), std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::snapshot() const noexcept {
  Snapshot result{};
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    result.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
    result.count += result.buckets[i];
  }
  result.sum_seconds = static_cast<double>(sum_ns_.load(std::memory_order_relaxed)) / 1e9;
  return result;
}

/// Families by name, each with its series by label text. Maps keep the output sorted and the
/// addresses of series stable.
struct Registry::State {
  struct Cell {  // exactly one of the four, once it is made
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
    std::unique_ptr<Histogram> histogram;
    std::function<double()> read;
    std::uint64_t read_id = 0;
  };
  enum class Kind { counter, gauge, histogram };
  struct Family {
    Kind kind;
    std::string help;
    std::map<std::string, Cell> series;
  };

  Cell* cell(Kind kind, std::string_view name, std::string_view help, const Labels& labels) {
    assert(is_name(name, true));
    Family& family =
        families.try_emplace(std::string(name), Family{kind, std::string(help), {}}).first->second;
    assert(family.kind == kind);
    const std::string text = label_text(labels);
    const auto found = family.series.find(text);
    if (found != family.series.end()) return &found->second;
    if (series_count == kSeriesMax) return nullptr;
    ++series_count;
    return &family.series[text];
  }

  mutable std::mutex mutex;
  std::map<std::string, Family, std::less<>> families;
  std::size_t series_count = 0;
  std::uint64_t next_read_id = 1;
  Counter unseen_counter;  // take what is beyond kSeriesMax
  Gauge unseen_gauge;
  Histogram unseen_histogram;
};

Registry::Registry() : state_(std::make_unique<State>()) {}
Registry::~Registry() = default;

Counter& Registry::counter(std::string_view name, std::string_view help, const Labels& labels) {
  assert(name.ends_with("_total"));
  const std::lock_guard lock(state_->mutex);
  State::Cell* cell = state_->cell(State::Kind::counter, name, help, labels);
  if (!cell) return state_->unseen_counter;
  if (!cell->counter) cell->counter = std::make_unique<Counter>();
  return *cell->counter;
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(state_->mutex);
  State::Cell* cell = state_->cell(State::Kind::gauge, name, help, labels);
  if (!cell) return state_->unseen_gauge;
  if (!cell->gauge) cell->gauge = std::make_unique<Gauge>();
  return *cell->gauge;
}

Histogram& Registry::histogram(std::string_view name, std::string_view help, const Labels& labels) {
  assert(name.ends_with("_seconds"));
  const std::lock_guard lock(state_->mutex);
  State::Cell* cell = state_->cell(State::Kind::histogram, name, help, labels);
  if (!cell) return state_->unseen_histogram;
  if (!cell->histogram) cell->histogram = std::make_unique<Histogram>();
  return *cell->histogram;
}

Registry::Callback Registry::callback(std::string_view name, std::string_view help,
                                      const Labels& labels, std::function<double()> read) {
  const std::lock_guard lock(state_->mutex);
  const auto kind = name.ends_with("_total") ? State::Kind::counter : State::Kind::gauge;
  State::Cell* cell = state_->cell(kind, name, help, labels);
  if (!cell) return {};
  cell->read = std::move(read);
  cell->read_id = state_->next_read_id++;
  return Callback(*this, cell->read_id);
}

void Registry::remove_callback(std::uint64_t id) {
  const std::lock_guard lock(state_->mutex);
  for (auto& [name, family] : state_->families) {
    for (auto& [labels, cell] : family.series) {
      if (cell.read_id == id) cell.read = nullptr;
    }
  }
}

Registry::Callback::Callback(Callback&& other) noexcept
    : registry_(std::exchange(other.registry_, nullptr)), id_(other.id_) {}

Registry::Callback& Registry::Callback::operator=(Callback&& other) noexcept {
  std::swap(registry_, other.registry_);
  std::swap(id_, other.id_);
  return *this;
}

Registry::Callback::~Callback() {
  if (registry_) registry_->remove_callback(id_);
}

std::string Registry::prometheus_text() const {
  constexpr std::array<std::string_view, 3> kTypes{"counter", "gauge", "histogram"};
  std::string out;
  const std::lock_guard lock(state_->mutex);
  for (const auto& [name, family] : state_->families) {
    out.append("# HELP ").append(name).append(" ").append(escaped(family.help, false));
    out.append("\n# TYPE ").append(name).append(" ");
    out.append(kTypes[static_cast<std::size_t>(family.kind)]).append("\n");
    for (const auto& [labels, cell] : family.series) {
      if (cell.counter) {
        append_sample(out, name, "", labels, std::to_string(cell.counter->value()));
      } else if (cell.gauge) {
        append_sample(out, name, "", labels, std::to_string(cell.gauge->value()));
      } else if (cell.histogram) {
        append_histogram(out, name, labels, *cell.histogram);
      } else if (cell.read) {
        append_sample(out, name, "", labels, number(cell.read()));
      }
    }
  }
  return out;
}

}  // namespace rp::node
