// What the message engine does in-process: batched puts until many messages wait, then single
// cycles with few and with many waiting, and a restart with all of them.
#include <fstream>
#include <future>
#include <iostream>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "queue/engine.h"
#include "queue/memory_store.h"
#include "queue/rocks_store.h"
#include "tools/bench/meter.h"

namespace rp::bench {
namespace {

using queue::Engine;
using queue::Result;

struct Options {
  std::string data;
  std::uint64_t messages = 1'000'000;
  std::size_t body_bytes = 100;
  std::size_t batch = 1'000;
  std::ptrdiff_t batches_in_flight = 4;
  std::size_t cycles = 5'000;
};

constexpr std::ptrdiff_t kBatchesInFlightMax = 64;
constexpr std::size_t kFewWaiting = 10;

/// Of this process, in kibibytes, as the kernel tells it.
std::string resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmRSS:" && status >> word) return word;
  }
  return "0";
}

template <class T>
T or_exit(Result<T> result) {
  if (result) {
    if constexpr (std::is_void_v<T>) {
      return;
    } else {
      return std::move(*result);
    }
  }
  std::cerr << "bench_queue: " << result.error().detail << '\n';
  std::exit(1);
}

template <class T, class Start>
T await(Start start) {
  std::promise<Result<T>> promise;
  auto future = promise.get_future();
  start([&promise](Result<T> result) { promise.set_value(std::move(result)); });
  return or_exit(future.get());
}

std::unique_ptr<Engine> open(const Options& options, const queue::Clock& clock) {
  if (options.data.empty()) return or_exit(Engine::open_in_memory({}, clock));
  auto store = or_exit(queue::open_rocks_store({.directory = options.data}));
  return or_exit(Engine::open(std::move(store), {}, clock));
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void fill(Engine& engine, const Options& options, std::uint64_t count) {
  const std::vector<queue::NewMessage> batch(
      options.batch, {.body = std::string(options.body_bytes, 'm'), .content_type = "text/plain"});
  std::counting_semaphore<kBatchesInFlightMax> free(options.batches_in_flight);
  const auto start = Clock::now();
  for (std::uint64_t sent = 0; sent < count; sent += batch.size()) {
    free.acquire();
    engine.put_batch("load", batch, [&free](auto done) {
      or_exit(std::move(done));
      free.release();
    });
  }
  for (std::ptrdiff_t i = 0; i < options.batches_in_flight; ++i) free.acquire();
  std::cout << "phase=fill messages=" << count << " batch=" << options.batch << " messages_per_s="
            << static_cast<std::uint64_t>(static_cast<double>(count) / seconds_since(start))
            << " rss_kib=" << resident_kib() << std::endl;
}

void print(const char* step, std::uint64_t waiting, const Histogram& times) {
  const auto micros = [&](double fraction) {
    return std::chrono::duration<double, std::micro>(times.quantile(fraction)).count();
  };
  std::cout << "phase=cycle step=" << step << " waiting=" << waiting << " p50_us=" << micros(0.5)
            << " p99_us=" << micros(0.99) << " p999_us=" << micros(0.999) << '\n';
}

/// One caller: put, take and acknowledge one message after another.
void cycle(Engine& engine, const Options& options, std::uint64_t waiting) {
  Histogram puts;
  Histogram takes;
  Histogram acks;
  const auto timed = [](Histogram& histogram, const auto& work) {
    const auto start = Clock::now();
    auto result = work();
    histogram.add(Clock::now() - start);
    return result;
  };
  const auto start = Clock::now();
  for (std::size_t i = 0; i < options.cycles; ++i) {
    timed(puts, [&] {
      return await<Engine::PutDone>([&](auto done) {
        engine.put("load", {.body = std::string(options.body_bytes, 'c')}, std::move(done));
      });
    });
    const auto taken = timed(takes, [&] {
      return await<std::vector<queue::Delivery>>(
          [&](auto done) { engine.take("load", {}, std::move(done)); });
    });
    timed(acks, [&] {
      return await<Engine::Answers>(
          [&](auto done) { engine.ack({taken.at(0).lease}, std::move(done)); });
    });
  }
  print("put", waiting, puts);
  print("take", waiting, takes);
  print("ack", waiting, acks);
  std::cout << "phase=cycles waiting=" << waiting << " cycles_per_s="
            << static_cast<std::uint64_t>(static_cast<double>(options.cycles) /
                                          seconds_since(start))
            << " rss_kib=" << resident_kib() << std::endl;
}

void drain(Engine& engine, const Options& options, std::uint64_t count) {
  const auto start = Clock::now();
  std::uint64_t taken = 0;
  while (taken < count) {
    const auto deliveries = await<std::vector<queue::Delivery>>(
        [&](auto done) { engine.take("load", {.count_max = options.batch}, std::move(done)); });
    if (deliveries.empty()) break;
    std::vector<queue::Lease> leases;
    for (const auto& delivery : deliveries) leases.push_back(delivery.lease);
    await<Engine::Answers>([&](auto done) { engine.ack(std::move(leases), std::move(done)); });
    taken += deliveries.size();
  }
  std::cout << "phase=drain messages=" << taken << " messages_per_s="
            << static_cast<std::uint64_t>(static_cast<double>(taken) / seconds_since(start))
            << " rss_kib=" << resident_kib() << std::endl;
}

void restart(std::unique_ptr<Engine>& engine, const Options& options, const queue::Clock& clock) {
  engine.reset();
  const auto start = Clock::now();
  engine = open(options, clock);
  const auto first = await<std::vector<queue::Delivery>>(
      [&](auto done) { engine->take("load", {}, std::move(done)); });
  std::cout << "phase=restart ready_ms=" << static_cast<std::uint64_t>(1'000 * seconds_since(start))
            << " first_message=" << (first.empty() ? 0 : first[0].message.id)
            << " rss_kib=" << resident_kib() << std::endl;
}

void run(const Options& options) {
  const queue::SystemClock clock;
  auto engine = open(options, clock);
  auto few = options;
  few.batch = kFewWaiting;
  fill(*engine, few, kFewWaiting);
  cycle(*engine, options, kFewWaiting);
  fill(*engine, options, options.messages);
  cycle(*engine, options, options.messages);
  if (!options.data.empty()) restart(engine, options, clock);
  drain(*engine, options, std::min<std::uint64_t>(options.messages / 2, 200'000));
  const auto start = Clock::now();
  const auto purged =
      await<std::uint64_t>([&](auto done) { engine->purge("load", std::move(done)); });
  std::cout << "phase=purge messages=" << purged
            << " ms=" << static_cast<std::uint64_t>(1'000 * seconds_since(start)) << std::endl;
}

}  // namespace
}  // namespace rp::bench

int main(int argc, char** argv) {
  rp::bench::Options options;
  CLI::App app("Puts, takes and acknowledges messages in an engine of this process");
  app.add_option("--data", options.data, "directory of the store; without it, memory");
  app.add_option("--messages", options.messages, "that wait in the second half")
      ->check(CLI::Range(1'000, 100'000'000));
  app.add_option("--body", options.body_bytes, "bytes of each")->check(CLI::Range(1, 1'000'000));
  app.add_option("--batch", options.batch, "messages of one put")->check(CLI::Range(1, 1'000));
  app.add_option("--in-flight", options.batches_in_flight, "batches at a time")
      ->check(CLI::Range(1, static_cast<int>(rp::bench::kBatchesInFlightMax)));
  app.add_option("--cycles", options.cycles, "of one message each")
      ->check(CLI::Range(100, 10'000'000));
  CLI11_PARSE(app, argc, argv);
  rp::bench::run(options);
}
