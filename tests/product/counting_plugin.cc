// Methods that show what was run twice, lost, changed or late.
#include <chrono>
#include <cstdint>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include <restpipe/sdk/restpipe.hpp>

namespace {

class Counting {
 public:
  /// Notes that `id` has run and gives the body back.
  rp::Reply post_run(const rp::Request& request, const std::string& id) {
    {
      const std::lock_guard lock(mutex_);
      if (++runs_[id] > 1) ++repeated_;
    }
    return {"application/octet-stream", 0, std::string(request.body())};
  }
  /// How many ids have run, and how many of those runs were repetitions.
  rp::Object get_runs() {
    const std::lock_guard lock(mutex_);
    return {{"ids", runs_.size()}, {"repeated", repeated_}};
  }
  std::uint64_t get_runs_of(const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto found = runs_.find(id);
    return found == runs_.end() ? 0 : found->second;
  }

  /// Notes that `id` has run, and answers after a while.
  std::string post_slow(const std::string& id, int milliseconds) {
    {
      const std::lock_guard lock(mutex_);
      ++runs_[id];
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    return "slow " + id;
  }
  /// Waits until nobody waits for its answer, and notes when that was.
  void get_wait(const rp::Request& request, const std::string& id) {
    std::promise<void> left;
    const auto listener = request.on_cancel([&] {
      const std::lock_guard lock(mutex_);
      left_at_[id] = std::chrono::steady_clock::now();
      left.set_value();
    });
    {
      const std::lock_guard lock(mutex_);
      ++runs_[id];
    }
    left.get_future().wait_for(std::chrono::seconds(20));
  }
  /// Nanoseconds of the monotonic clock, which all processes share; 0 when it has not been.
  std::int64_t get_left_at(const std::string& id) {
    const std::lock_guard lock(mutex_);
    return std::chrono::nanoseconds(left_at_[id].time_since_epoch()).count();
  }
  /// Reads its body as it comes.
  std::uint64_t post_length(rp::Body body) {
    std::string buffer(kBlockBytes, '\0');
    std::uint64_t total = 0;
    while (const auto got = body.read(buffer.data(), buffer.size())) total += got;
    return total;
  }
  /// What the caller has left of its time.
  std::int64_t get_time_left(const rp::Request& request) {
    const auto left = request.time_left();
    return left ? left->count() : -1;
  }

  /// `blocks` of 64 KiB, each of which says everywhere where it belongs.
  void get_pattern(rp::Stream stream, std::size_t blocks) {
    for (std::size_t i = 0; i < blocks; ++i) {
      std::string block;
      block.reserve(kBlockBytes);
      const std::string word = "block " + std::to_string(1'000'000'000 + i);  // 16 bytes
      while (block.size() < kBlockBytes) block += word;
      stream.write(block);
    }
    stream.end();
  }

  /// `count` events, one each `milliseconds`. Each says when it was written, in nanoseconds of the
  /// monotonic clock, which all processes share.
  void get_ticks(rp::Stream stream, int count, int milliseconds) {
    stream.begin({"text/event-stream", 0, nullptr});
    for (int i = 0; i < count; ++i) {
      const auto now = std::chrono::steady_clock::now().time_since_epoch();
      stream.write("data: " + std::to_string(std::chrono::nanoseconds(now).count()) + "\n\n");
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    }
    stream.end();
  }

  static void methods(rp::Methods<Counting>& m) {
    m.add("post_run", &Counting::post_run);
    m.add("get_runs", &Counting::get_runs);
    m.add("get_runs_of", &Counting::get_runs_of);
    m.add("get_pattern", &Counting::get_pattern, rp::blocking);
    m.add("get_ticks", &Counting::get_ticks, rp::blocking);
    m.add("post_slow", &Counting::post_slow, rp::blocking);
    m.add("get_wait", &Counting::get_wait, rp::blocking);
    m.add("get_left_at", &Counting::get_left_at);
    m.add("post_length", &Counting::post_length, rp::blocking);
    m.add("get_time_left", &Counting::get_time_left);
  }

 private:
  static constexpr std::size_t kBlockBytes = 64 * 1024;

  std::mutex mutex_;
  std::unordered_map<std::string, std::uint64_t> runs_;
  std::uint64_t repeated_ = 0;
  std::unordered_map<std::string, std::chrono::steady_clock::time_point> left_at_;
};

}  // namespace

RESTPIPE_PLUGIN(Counting, "counting", "1.0")
