#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/io_thread.h"
#include "rest/server.h"
#include "tests/wait.h"

namespace rp::rest::test {

/// A parsed answer, as a client sees it.
struct Answer {
  int status = 0;
  std::string reason;
  std::multimap<std::string, std::string> headers;  ///< names in lower case
  std::string body;                                 ///< de-chunked
  bool complete = false;                            ///< the body ended as its framing says

  std::string header(const std::string& lower_case_name) const;
  bool has(const std::string& lower_case_name) const { return headers.contains(lower_case_name); }
};

/// A client that sends exactly the bytes it is told to.
class RawClient {
 public:
  /// Connects to "127.0.0.1:PORT" or a Unix socket. `receive_buffer` in bytes, 0 for the default.
  explicit RawClient(const Endpoint& endpoint, int receive_buffer = 0);
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&& other) noexcept;
  RawClient(const RawClient&) = delete;

  void send(std::string_view bytes);
  /// Sends what the socket takes within `patience`; how much that was.
  std::size_t send_some(std::string_view bytes, std::chrono::milliseconds patience);
  void half_close();
  void close();
  /// Closes with a RST.
  void reset();

  /// Reads one answer. `to_head`: the request was HEAD, so no body follows.
  Answer read_answer(bool to_head = false);
  /// Up to `size` bytes as they come; fewer when the server closes first.
  std::string read_bytes(std::size_t size);
  /// Everything until the server closes. Fails the test after `patience`.
  std::string read_until_closed(std::chrono::milliseconds patience = kPatience);
  /// True when the server closes (or resets) within `patience` without sending anything more.
  bool closed_within(std::chrono::milliseconds patience);

 private:
  bool fill(std::chrono::steady_clock::time_point deadline);
  std::optional<std::string> read_line();
  void read_chunks(Answer& answer);

  int fd_ = -1;
  std::string received_;
  bool ended_ = false;
};

/// So many threads, started; whoever has the last pointer to one ends it.
std::vector<std::shared_ptr<pipe::IoThread>> running_threads(unsigned count);

/// A front-end on loopback that is stopped at the end of the test.
class FrontEnd {
 public:
  explicit FrontEnd(Handler handler, ServerOptions options = {}, unsigned threads = 1);
  ~FrontEnd();

  RawClient connect(int receive_buffer = 0) const { return RawClient(endpoint_, receive_buffer); }
  /// One request on a connection of its own.
  Answer ask(std::string_view request) const;
  const Endpoint& endpoint() const { return endpoint_; }
  Server& server() { return server_; }
  const Stats& stats() const { return server_.stats(); }

 private:
  const std::vector<std::shared_ptr<pipe::IoThread>> threads_;
  Server server_;
  Endpoint endpoint_;
};

/// "GET path" with the Host of the loopback; `headers` are whole lines with CRLF.
std::string get(std::string_view path, std::string_view headers = "");
/// A request with a counted body.
std::string post(std::string_view path, std::string_view body, std::string_view headers = "");

/// A 200 with that text.
Response ok(std::string body);

/// Something that one thread hands to another.
template <class T>
class Handover {
 public:
  void put(T value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
    filled_.notify_all();
  }
  /// The value, or nothing when it does not come in time.
  std::optional<T> take() {
    std::unique_lock lock(mutex_);
    if (!filled_.wait_for(lock, kPatience, [&] { return value_.has_value(); })) return std::nullopt;
    auto taken = std::move(value_);
    value_.reset();
    return taken;
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::optional<T> value_;
};

/// A fresh directory that goes away with its contents.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

}  // namespace rp::rest::test
