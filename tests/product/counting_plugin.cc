// Methods for the tests of broken links: they show what was run twice, lost or changed.
#include <cstdint>
#include <mutex>
#include <string>
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

  static void methods(rp::Methods<Counting>& m) {
    m.add("post_run", &Counting::post_run);
    m.add("get_runs", &Counting::get_runs);
    m.add("get_runs_of", &Counting::get_runs_of);
    m.add("get_pattern", &Counting::get_pattern, rp::blocking);
  }

 private:
  static constexpr std::size_t kBlockBytes = 64 * 1024;

  std::mutex mutex_;
  std::unordered_map<std::string, std::uint64_t> runs_;
  std::uint64_t repeated_ = 0;
};

}  // namespace

RESTPIPE_PLUGIN(Counting, "counting", "1.0")
