// Methods for the tests of the whole program: each shows one row of the handler contract.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>

#include <restpipe/sdk/json.hpp>
#include <restpipe/sdk/restpipe.hpp>

namespace {

/// Appends one line to the file that an environment variable names, if it does.
void append_line(const char* variable, const std::string& line) {
  const char* const path = std::getenv(variable);
  if (path == nullptr) return;
  std::ofstream(path, std::ios::app) << line << std::endl;
}

class Parity {
 public:
  rp::Reply echo(const rp::Request& request) {
    return {std::string(request.content_type()), 0, request.body()};
  }
  std::string verb(const rp::Request& request) { return std::string(request.verb()); }
  std::string get_time_utc() { return "utc"; }
  std::string post_mimetype(const rp::Request& request) {
    return std::string(request.content_type());
  }

  /// "json" when there is a decoded value; its first member reaches the log of no one.
  std::string post_kind(const rp::Request& request) {
    if (!request.is_json()) return "text";
    const auto value = rp::json_body(request);
    return value.is_null() ? "null" : "json";
  }
  /// The decoded value, written again by another library: equal only if it was decoded.
  rp::Reply post_decoded(const rp::Request& request) {
    return {"text/plain", 0, boost::json::serialize(rp::json_body(request))};
  }

  rp::Reply get_reply_triple() { return {"text/x-test", 42, "some text"}; }
  rp::Reply get_reply_nomime() { return {std::nullopt, 42, rp::Object{{"a", 1}}}; }
  void get_nothing() {}
  std::string get_bare() { return "plain"; }
  int get_number() { return 5; }
  auto get_list() { return std::tuple(1, "\u00e9", nullptr, true); }
  void get_raise() { throw std::runtime_error("boom"); }
  rp::Reply get_badcode(const std::optional<std::int64_t>& code) {
    return {"text/plain", code.value_or(std::int64_t{1} << 32), "never seen"};
  }
  rp::Reply get_badmime() { return {"text/plain", 0, rp::Object{{"a", 1}}}; }

  /// Waits so long, or until nobody waits for it any more.
  std::string get_sleep(const rp::Request& request, double seconds) {
    std::mutex mutex;
    std::condition_variable cancelled;
    bool is_cancelled = false;
    const auto listener = request.on_cancel([&] {
      const std::lock_guard lock(mutex);
      is_cancelled = true;
      cancelled.notify_all();
    });
    append_line("RP_TEST_SLEEP_FILE", "started");
    std::unique_lock lock(mutex);
    cancelled.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return is_cancelled; });
    append_line("RP_TEST_SLEEP_FILE", is_cancelled ? "cancelled" : "slept");
    return is_cancelled ? "cancelled" : "slept";
  }

  /// `pieces` lines, or pieces of `bytes` bytes.
  void get_stream(rp::Stream stream, std::size_t pieces, const std::optional<std::size_t>& bytes) {
    stream.begin({"text/plain", 0, nullptr});
    for (std::size_t i = 0; i < pieces; ++i) {
      stream.write(bytes ? std::string(*bytes, 'x') : "piece " + std::to_string(i) + "\n");
    }
    stream.end();
  }
  /// Breaks off after the first piece.
  void get_broken_stream(rp::Stream stream) {
    stream.write("one");
    throw std::runtime_error("the rest is missing");
  }

  std::uint64_t get_count() { return ++count_; }
  std::string get_body(const rp::Request& request) { return std::string(request.body()); }
  std::string get_query(const rp::Request& request) { return std::string(request.query()); }
  std::string get_headers(const rp::Request& request) {
    std::string lines;
    for (std::size_t i = 0; i < request.headers_count(); ++i) {
      const auto [name, value] = request.header(i);
      lines.append(name).append(": ").append(value).append("\n");
    }
    return lines;
  }
  rp::Object get_origin(const rp::Request& request) {
    return {{"node", request.origin_node()},
            {"address", request.origin_address()},
            {"port", request.origin_port()}};
  }
  std::string get_request_id(const rp::Request& request) {
    return std::string(request.request_id());
  }

  static void state(const std::string& line) { append_line("RP_TEST_STATE_FILE", line); }
  void start_hook(const rp::Peer&) { state("start"); }
  void stop_hook(const rp::Peer&) { state("stop"); }
  void idle(rp::UnixSeconds, double) { state("idle"); }
  void connection_added(const rp::Peer& peer, std::uint64_t count) {
    state("added " + std::string(peer.name) + " " + std::to_string(count));
  }
  void connection_removed(const rp::Peer& peer, std::uint64_t count) {
    state("removed " + std::string(peer.name) + " " + std::to_string(count));
  }
  void connect_success(std::uint64_t attempts, const std::optional<rp::UnixSeconds>&) {
    state("success " + std::to_string(attempts));
  }
  void connect_fail(std::uint64_t attempts, const std::optional<rp::UnixSeconds>&) {
    state("fail " + std::to_string(attempts));
  }

  static void methods(rp::Methods<Parity>& m) {
    for (const std::string verb : {"get", "post", "put", "delete", "patch"}) {
      m.add(verb + "_echo", &Parity::echo, rp::idempotent);
      m.add(verb + "_verb", &Parity::verb);
    }
    m.add("get_time_utc", &Parity::get_time_utc);
    m.add("post_mimetype", &Parity::post_mimetype);
    m.add("post_kind", &Parity::post_kind);
    m.add("post_decoded", &Parity::post_decoded);
    m.add("get_reply_triple", &Parity::get_reply_triple);
    m.add("get_reply_nomime", &Parity::get_reply_nomime);
    m.add("get_nothing", &Parity::get_nothing);
    m.add("get_bare", &Parity::get_bare);
    m.add("get_number", &Parity::get_number);
    m.add("get_list", &Parity::get_list);
    m.add("get_raise", &Parity::get_raise);
    m.add("get_badcode", &Parity::get_badcode);
    m.add("get_badmime", &Parity::get_badmime);
    m.add("get_sleep", &Parity::get_sleep, rp::blocking);
    m.add("get_stream", &Parity::get_stream, rp::blocking);
    m.add("get_broken_stream", &Parity::get_broken_stream, rp::blocking);
    m.add("get_count", &Parity::get_count);
    m.add("get_body", &Parity::get_body);
    m.add("get_query", &Parity::get_query);
    m.add("get_headers", &Parity::get_headers);
    m.add("get_origin", &Parity::get_origin);
    m.add("get_request_id", &Parity::get_request_id);
  }

 private:
  std::atomic<std::uint64_t> count_ = 0;
};

}  // namespace

RESTPIPE_PLUGIN(Parity, "parity", "1.0")
