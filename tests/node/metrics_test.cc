#include "node/metrics.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/process_metrics.h"

namespace rp::node {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

TEST(MetricsTest, WritesFamiliesWithHelpAndType) {
  Registry registry;
  registry.counter("restpipe_b_total", "Things\nthat \\ happen.", {{"kind", "x"}}).add(3);
  registry.counter("restpipe_b_total", "ignored", {{"kind", "a"}}).add();
  registry.gauge("restpipe_a", "Level.").set(-7);
  EXPECT_EQ(registry.prometheus_text(),
            "# HELP restpipe_a Level.\n"
            "# TYPE restpipe_a gauge\n"
            "restpipe_a -7\n"
            "# HELP restpipe_b_total Things\\nthat \\\\ happen.\n"
            "# TYPE restpipe_b_total counter\n"
            "restpipe_b_total{kind=\"a\"} 1\n"
            "restpipe_b_total{kind=\"x\"} 3\n");
}

TEST(MetricsTest, TheSameNameAndLabelsAreTheSameSeries) {
  Registry registry;
  Counter& first = registry.counter("restpipe_a_total", "A.", {{"m", "1"}});
  EXPECT_EQ(&registry.counter("restpipe_a_total", "A.", {{"m", "1"}}), &first);
  EXPECT_NE(&registry.counter("restpipe_a_total", "A.", {{"m", "2"}}), &first);
}

TEST(MetricsTest, LabelValuesCannotBreakOut) {
  Registry registry;
  registry.counter("restpipe_a_total", "A.", {{"m", "x\"} 1\nfake 2\\"}}).add();
  EXPECT_THAT(registry.prometheus_text(),
              HasSubstr("restpipe_a_total{m=\"x\\\"} 1\\nfake 2\\\\\"} 1\n"));
}

TEST(MetricsTest, HistogramsAreCumulativeAndInSeconds) {
  Registry registry;
  Histogram& histogram = registry.histogram("restpipe_call_seconds", "Calls.", {{"m", "x"}});
  histogram.observe(microseconds(100));  // on a bound: belongs below it
  histogram.observe(microseconds(101));
  histogram.observe(milliseconds(50));
  histogram.observe(std::chrono::hours(1));
  histogram.observe(microseconds(-5));  // a clock that is read out of order
  const std::string text = registry.prometheus_text();
  EXPECT_THAT(text, HasSubstr("# TYPE restpipe_call_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr("restpipe_call_seconds_bucket{m=\"x\",le=\"0.0001\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("restpipe_call_seconds_bucket{m=\"x\",le=\"0.00025\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("restpipe_call_seconds_bucket{m=\"x\",le=\"0.1\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("restpipe_call_seconds_bucket{m=\"x\",le=\"60\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("restpipe_call_seconds_bucket{m=\"x\",le=\"+Inf\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("restpipe_call_seconds_sum{m=\"x\"} 3600.050201\n"));
  EXPECT_THAT(text, HasSubstr("restpipe_call_seconds_count{m=\"x\"} 5\n"));
}

TEST(MetricsTest, CallbacksAreAskedAtEachScrapeAndEndWithTheirHandle) {
  Registry registry;
  double value = 1.5;
  {
    Registry::Callback first =
        registry.callback("restpipe_open", "Open.", {}, [&] { return value; });
    const Registry::Callback total =
        registry.callback("restpipe_seen_total", "Seen.", {}, [] { return 7.0; });
    EXPECT_THAT(registry.prometheus_text(), HasSubstr("restpipe_open 1.5\n"));
    EXPECT_THAT(registry.prometheus_text(), HasSubstr("# TYPE restpipe_seen_total counter\n"));
    value = 2;
    const Registry::Callback moved = std::move(first);
    EXPECT_THAT(registry.prometheus_text(), HasSubstr("restpipe_open 2\n"));
  }
  EXPECT_THAT(registry.prometheus_text(), Not(HasSubstr("\nrestpipe_open ")));
}

TEST(MetricsTest, AnUnboundedLabelStopsAtTheLimit) {
  Registry registry;
  for (std::size_t i = 0; i < Registry::kSeriesMax + 100; ++i) {
    registry.counter("restpipe_a_total", "A.", {{"i", std::to_string(i)}}).add();
  }
  const std::string text = registry.prometheus_text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'),
            static_cast<std::ptrdiff_t>(Registry::kSeriesMax + 2));
  registry.gauge("restpipe_late", "Late.").set(1);  // still safe to use, and not shown
  EXPECT_THAT(registry.prometheus_text(), Not(HasSubstr("\nrestpipe_late 1")));
}

TEST(ProcessMetricsTest, ShowTheBuildAndTheProcess) {
  const LogWriter log(LogFormat::text, LogLevel::error);
  Registry registry;
  Health health;
  const auto handles = export_process(registry, log, health);
  EXPECT_THAT(registry.prometheus_text(), HasSubstr("\nrestpipe_ready 0\n"));
  health.set(Health::kStarting, false);
  const std::string text = registry.prometheus_text();
  EXPECT_THAT(text, HasSubstr("\nrestpipe_ready 1\n"));
  EXPECT_THAT(text, testing::ContainsRegex("restpipe_build_info.version=\"[0-9.]+\". 1\n"));
  EXPECT_THAT(text, HasSubstr("\nrestpipe_log_lines_dropped_total 0\n"));
  EXPECT_THAT(text, testing::ContainsRegex("\nprocess_resident_memory_bytes [1-9]"));
  EXPECT_THAT(text, testing::ContainsRegex("\nprocess_open_fds [1-9]"));
  EXPECT_THAT(text, testing::ContainsRegex("\nprocess_cpu_seconds_total [0-9]"));
  EXPECT_THAT(text, testing::ContainsRegex("\nprocess_start_time_seconds [1-9]"));
}

TEST(MetricsTest, CountsFromManyThreadsAddUp) {
  Registry registry;
  Counter& counter = registry.counter("restpipe_a_total", "A.");
  Histogram& histogram = registry.histogram("restpipe_a_seconds", "A.");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5'000; ++i) {
        counter.add();
        histogram.observe(microseconds(i));
      }
      registry.counter("restpipe_b_total", "B.", {{"t", std::to_string(t)}}).add();
    });
  }
  for (int i = 0; i < 20; ++i) registry.prometheus_text();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 20'000U);
  EXPECT_EQ(histogram.snapshot().count, 20'000U);
}

}  // namespace
}  // namespace rp::node
