#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Numbers for /metrics in the Prometheus text format. Series are registered at start, or rarely;
/// counting is a relaxed atomic operation and never takes a lock.
namespace rp::node {

/// Only ever grows. Its name ends in `_total`.
class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<std::uint64_t> value_{0};  // a cache line of its own: two I/O threads
                                                     // that count different things never meet
};

/// Goes up and down.
class Gauge {
 public:
  void set(std::int64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<std::int64_t> value_{0};
};

/// Durations, in buckets from 100 us to 60 s. Its name ends in `_seconds`.
class Histogram {
 public:
  /// Upper bounds in microseconds; one more bucket takes what is longer.
  static constexpr std::array<std::int64_t, 14> kBoundsUs{
      100,    250,     500,     1'000,     2'500,     5'000,      10'000,
      25'000, 100'000, 250'000, 1'000'000, 5'000'000, 20'000'000, 60'000'000};

  void observe(std::chrono::nanoseconds duration) noexcept;

  struct Snapshot {
    std::array<std::uint64_t, kBoundsUs.size() + 1> buckets;  ///< not cumulative
    std::uint64_t count;                                      ///< sum of the buckets
    double sum_seconds;
  };
  Snapshot snapshot() const noexcept;

 private:
  alignas(64) std::array<std::atomic<std::uint64_t>, kBoundsUs.size() + 1> buckets_{};
  std::atomic<std::uint64_t> sum_ns_{0};
};

struct Label {
  std::string name;
  std::string value;

  friend bool operator==(const Label&, const Label&) = default;
};
using Labels = std::vector<Label>;

/// All series of a node. Members are safe from any thread; what they return lives as long as the
/// registry.
class Registry {
 public:
  /// More series than this are not kept: further registrations count into one that is not shown, so
  /// a label that turns out to be unbounded costs no memory.
  static constexpr std::size_t kSeriesMax = 4096;

  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// The same name and labels give the same object again. A name keeps its first help text and must
  /// keep its kind. Names match [a-zA-Z_:][a-zA-Z0-9_:]*, label names the same without ':'; both
  /// are asserted. Label values may be any text.
  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, const Labels& labels = {});

  /// A gauge, or a counter when the name ends in `_total`, whose value is asked for at each scrape.
  /// `read` runs on the scraping thread under the registry's lock: quick, no call back into here.
  /// It is removed when the handle is destroyed; the handle must not outlive the registry.
  class Callback {
   public:
    Callback() = default;
    Callback(Callback&& other) noexcept;
    Callback& operator=(Callback&& other) noexcept;
    ~Callback();

   private:
    friend class Registry;
    Callback(Registry& registry, std::uint64_t id) : registry_(&registry), id_(id) {}
    Registry* registry_ = nullptr;
    std::uint64_t id_ = 0;
  };
  [[nodiscard]] Callback callback(std::string_view name, std::string_view help,
                                  const Labels& labels, std::function<double()> read);

  /// The whole of /metrics, for `Content-Type: text/plain; version=0.0.4; charset=utf-8`.
  std::string prometheus_text() const;

 private:
  struct State;
  void remove_callback(std::uint64_t id);

  std::unique_ptr<State> state_;
};

}  // namespace rp::node
