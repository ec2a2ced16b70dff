// A plugin that ends its process in every way, and shows what reaches a plugin in another one.
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <restpipe/sdk/restpipe.hpp>
#include <unistd.h>

namespace {

// FNV-1a, 64 bit: enough to tell a body that lost or changed a byte.
constexpr std::uint64_t kHashBegin = 0xcbf29ce484222325;
std::uint64_t hash_on(std::uint64_t hash, const char* data, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    hash = (hash ^ static_cast<unsigned char>(data[i])) * 0x100000001b3;
  }
  return hash;
}

/// By the signal itself: the address sanitizer would catch it and exit.
void die_of_segv() {
  std::signal(SIGSEGV, SIG_DFL);
  std::raise(SIGSEGV);
}

class Fragile {
 public:
  explicit Fragile(rp::Host host) : host_(host) {}
  ~Fragile() { host_.log(rp::Log::info, "fragile goes"); }

  // Inline, on the thread that serves the node.
  void get_segv() { die_of_segv(); }
  void get_abort() { std::abort(); }
  void get_exit(int status) { std::_Exit(status); }
  void get_loop() {
    for (volatile bool go_on = true; go_on;) {
    }
  }
  void get_nap(int milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  }
  // On a worker.
  void get_segv_later(int milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    die_of_segv();
  }
  /// Begins a stream, and ends the process in the midst of it.
  void get_segv_in_stream(rp::Stream stream) {
    stream.begin(rp::Reply("text/plain", 0, nullptr));
    stream.write("so far");
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    die_of_segv();
  }

  std::int64_t get_pid() { return ::getpid(); }
  rp::Object get_asked(const rp::Request& request) {
    return {{"role", host_.role() == rp::Role::server ? "server" : "client"},
            {"node", std::string(host_.node_name())},
            {"origin", std::string(request.origin_node())},
            {"address", std::string(request.origin_address())},
            {"port", request.origin_port()},
            {"query", std::string(request.query())},
            {"header", std::string(request.header("x-test").value_or(""))},
            {"time_left", request.time_left() ? request.time_left()->count() : -1}};
  }
  void get_logged(const std::string& text) { host_.log(rp::Log::warning, text); }
  void get_debugged(const std::string& text) { host_.log(rp::Log::debug, text); }

  /// Reads its body as it comes; its length and hash.
  rp::Object post_hash(rp::Body body) {
    std::string buffer(64 * 1024, '\0');
    std::uint64_t hash = kHashBegin;
    std::uint64_t bytes = 0;
    while (const auto got = body.read(buffer.data(), buffer.size())) {
      hash = hash_on(hash, buffer.data(), got);
      bytes += got;
    }
    return {{"bytes", bytes}, {"hash", std::to_string(hash)}};
  }
  std::string post_echo(const rp::Request& request) { return std::string(request.body()); }
  /// `blocks` of 64 KiB, with a pause before each.
  void get_blocks(rp::Stream stream, int blocks, int pause_ms) {
    stream.begin();
    for (int i = 0; i < blocks; ++i) {
      if (pause_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
      stream.write(std::string(64 * 1024, static_cast<char>('a' + i % 26)));
    }
    stream.end();
  }

  /// Waits until nobody waits for its answer, and notes when that was.
  void get_hold(const rp::Request& request, const std::string& id) {
    const auto listener = request.on_cancel([&] {
      const std::lock_guard lock(mutex_);
      left_at_[id] = std::chrono::steady_clock::now();
      left_.notify_all();
    });
    std::unique_lock lock(mutex_);
    waiting_.push_back(id);
    left_.wait_for(lock, std::chrono::seconds(20), [&] { return left_at_.count(id) > 0; });
  }
  std::size_t get_waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  /// Nanoseconds of the monotonic clock, which all processes share; 0 when it has not been.
  std::int64_t get_gone_at(const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto found = left_at_.find(id);
    if (found == left_at_.end()) return 0;
    return std::chrono::nanoseconds(found->second.time_since_epoch()).count();
  }

  /// What it has heard of pipes, in order.
  std::string get_heard() {
    const std::lock_guard lock(mutex_);
    return heard_;
  }
  void start_hook(const rp::Peer& peer) { hear("start " + std::string(peer.name)); }
  void stop_hook(const rp::Peer& peer) { hear("stop " + std::string(peer.name)); }
  void connection_added(const rp::Peer& peer, std::uint64_t count) {
    hear("added " + std::string(peer.name) + " " + std::to_string(count));
  }
  void connection_removed(const rp::Peer& peer, std::uint64_t count) {
    hear("removed " + std::string(peer.name) + " " + std::to_string(count));
  }
  void connect_success(std::uint64_t attempts, std::optional<double>) {
    hear("connected " + std::to_string(attempts));
  }

  static void methods(rp::Methods<Fragile>& m) {
    m.add("get_segv", &Fragile::get_segv);
    m.add("get_abort", &Fragile::get_abort);
    m.add("get_exit", &Fragile::get_exit);
    m.add("get_loop", &Fragile::get_loop);
    m.add("get_nap", &Fragile::get_nap);
    m.add("get_segv_later", &Fragile::get_segv_later, rp::blocking);
    m.add("get_segv_in_stream", &Fragile::get_segv_in_stream, rp::blocking);
    m.add("get_pid", &Fragile::get_pid, rp::idempotent);
    m.add("get_asked", &Fragile::get_asked);
    m.add("get_logged", &Fragile::get_logged);
    m.add("get_debugged", &Fragile::get_debugged);
    m.add("post_hash", &Fragile::post_hash, rp::blocking);
    m.add("post_echo", &Fragile::post_echo);
    m.add("get_blocks", &Fragile::get_blocks, rp::blocking);
    m.add("get_hold", &Fragile::get_hold, rp::blocking);
    m.add("get_waiting", &Fragile::get_waiting);
    m.add("get_gone_at", &Fragile::get_gone_at);
    m.add("get_heard", &Fragile::get_heard);
  }

 private:
  void hear(const std::string& what) {
    const std::lock_guard lock(mutex_);
    heard_ += what + ";";
  }

  const rp::Host host_;
  std::mutex mutex_;
  std::condition_variable left_;
  std::vector<std::string> waiting_;
  std::unordered_map<std::string, std::chrono::steady_clock::time_point> left_at_;
  std::string heard_;
};

}  // namespace

RESTPIPE_PLUGIN(Fragile, "fragile", "1.0")
