// Methods that use the corners of the SDK, and some that break the rules in C++.
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <restpipe/sdk/restpipe.hpp>

namespace {

namespace deep::inside {
struct CustomError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
template <class T>
struct Wrapped : std::runtime_error {
  using std::runtime_error::runtime_error;
};
}  // namespace deep::inside

struct SilentError : std::exception {
  const char* what() const noexcept override { return ""; }
};

/// Runs functions one after the other on a thread of the plugin.
class Worker {
 public:
  Worker() : thread_([this] { work(); }) {}
  ~Worker() {
    post(nullptr);
    thread_.join();
  }
  void post(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    posted_.notify_one();
  }

 private:
  void work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      posted_.wait(lock, [this] { return !tasks_.empty(); });
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      if (!task) return;
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<std::function<void()>> tasks_;
  std::thread thread_;
};

/// Reads a body without ever waiting, and answers with its length.
class Gulp {
 public:
  Gulp(rp::Body body, rp::Responder responder)
      : body_(std::move(body)), responder_(std::move(responder)) {
    body_.on_readable([this] { read(); });
    read();
  }

 private:
  void read() {
    try {
      char buffer[1000];
      for (;;) {
        const auto got = body_.try_read(buffer, sizeof buffer);
        if (!got) return;
        if (*got == 0) break;
        total_ += *got;
      }
      responder_.reply(total_);
    } catch (const rp::Cancelled&) {  // needs no answer
    }
  }

  rp::Body body_;
  rp::Responder responder_;
  std::size_t total_ = 0;
};

/// Sends pieces without ever waiting: goes on when it is told that there is room.
class Pump {
 public:
  Pump(rp::Stream stream, std::size_t pieces) : stream_(std::move(stream)), left_(pieces) {
    stream_.on_writable([this] { send(); });
    send();
  }

 private:
  void send() {
    try {
      for (; left_ > 0; --left_) {
        if (!stream_.try_write(std::string(10'000, 'p'))) return;
      }
      stream_.end();
    } catch (const rp::Cancelled&) {
      // Nobody wants the rest.
    }
  }

  rp::Stream stream_;
  std::size_t left_;
};

class Sdk {
 public:
  explicit Sdk(rp::Host host) : host_(host) { host_.log(rp::Log::debug, "made"); }

  std::string get_role() { return host_.role() == rp::Role::server ? "server" : "client"; }
  std::string get_node() { return std::string(host_.node_name()); }

  std::string get_typed(int a, double b, const std::string& c, std::string_view d) {
    return std::to_string(a) + "|" + rp::Json(b).text() + "|" + c + "|" + std::string(d);
  }
  std::string get_optional(const std::string& a, const std::optional<int>& b) {
    return a + (b ? std::to_string(*b) : "-");
  }
  std::size_t get_rest(const std::string&, const rp::Rest& rest) { return rest.size(); }
  int get_const() const noexcept { return 1; }

  std::map<std::string, std::vector<int>> get_map() { return {{"a", {1, 2}}}; }
  std::optional<int> get_maybe(int there) {
    return there != 0 ? std::optional(there) : std::nullopt;
  }
  std::variant<int, std::string, std::monostate> get_either(const std::string& which) {
    if (which == "int") return 1;
    if (which == "none") return std::monostate();
    return which;
  }
  rp::Reply get_header() { return rp::Reply("text/plain", 0, "x").header("x-made-by", "sdk"); }
  rp::Reply get_problem() { return {"application/problem+json", 3, rp::Object{{"title", "t"}}}; }

  void get_custom() { throw deep::inside::CustomError("custom"); }
  void get_template() { throw deep::inside::Wrapped<std::string>("wrapped"); }
  void get_silent() { throw SilentError(); }
  void get_int() { throw 42; }
  double get_nan() { return std::nan(""); }
  std::string get_latin1() { return "\xe9"; }
  rp::Array get_latin1_json() { return {"\xe9"}; }
  void get_huge() { throw std::bad_alloc(); }

  void get_later(rp::Responder responder, int milliseconds) {
    worker_.post([r = std::make_shared<rp::Responder>(std::move(responder)), milliseconds] {
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      r->reply(std::vector<int>{milliseconds});
    });
  }
  void get_later_raise(rp::Responder responder) {
    worker_.post([r = std::make_shared<rp::Responder>(std::move(responder))] {
      try {
        throw deep::inside::CustomError("later");
      } catch (...) {
        r->raise_current();
      }
    });
  }
  void get_dropped(rp::Responder) {}
  void get_dropped_later(rp::Responder responder) {
    worker_.post([r = std::make_shared<rp::Responder>(std::move(responder))] {});
  }
  void get_throws_with_responder(rp::Responder) { throw deep::inside::CustomError("mine"); }

  void get_pump(rp::Stream stream, std::size_t pieces) {
    const std::lock_guard lock(mutex_);
    pumps_.push_back(std::make_unique<Pump>(std::move(stream), pieces));
  }

  std::size_t put_count(rp::Body body) {
    std::string buffer(10'000, '\0');
    std::size_t total = 0;
    while (const auto got = body.read(buffer.data(), buffer.size())) total += got;
    return total;
  }
  std::string put_length(rp::Body body, const rp::Request& request) {
    const auto length = body.bytes() ? std::to_string(*body.bytes()) : "unknown";
    return length + std::string(request.body());
  }
  void put_gulp(rp::Body body, rp::Responder responder) {
    gulp_ = std::make_unique<Gulp>(std::move(body), std::move(responder));
  }

  void idle(rp::UnixSeconds, double) { throw std::runtime_error("callbacks may fail"); }

  static void methods(rp::Methods<Sdk>& m) {
    m.add("put_count", &Sdk::put_count, rp::blocking);
    m.add("put_length", &Sdk::put_length);
    m.add("put_gulp", &Sdk::put_gulp);
    m.add("get_role", &Sdk::get_role);
    m.add("get_node", &Sdk::get_node);
    m.add("get_typed", &Sdk::get_typed);
    m.add("get_optional", &Sdk::get_optional);
    m.add("get_rest", &Sdk::get_rest);
    m.add("get_const", &Sdk::get_const);
    m.add("get_map", &Sdk::get_map);
    m.add("get_maybe", &Sdk::get_maybe);
    m.add("get_either", &Sdk::get_either);
    m.add("get_header", &Sdk::get_header);
    m.add("get_problem", &Sdk::get_problem);
    m.add("get_custom", &Sdk::get_custom);
    m.add("get_template", &Sdk::get_template);
    m.add("get_silent", &Sdk::get_silent);
    m.add("get_int", &Sdk::get_int);
    m.add("get_nan", &Sdk::get_nan);
    m.add("get_latin1", &Sdk::get_latin1);
    m.add("get_latin1_json", &Sdk::get_latin1_json);
    m.add("get_huge", &Sdk::get_huge);
    m.add("get_later", &Sdk::get_later);
    m.add("get_later_raise", &Sdk::get_later_raise);
    m.add("get_dropped", &Sdk::get_dropped);
    m.add("get_dropped_later", &Sdk::get_dropped_later);
    m.add("get_throws_with_responder", &Sdk::get_throws_with_responder);
    m.add("get_pump", &Sdk::get_pump);
  }

 private:
  rp::Host host_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Pump>> pumps_;  // guarded by mutex_
  std::unique_ptr<Gulp> gulp_;
  Worker worker_;
};

}  // namespace

RESTPIPE_PLUGIN(Sdk, "sdk", "1.0")
