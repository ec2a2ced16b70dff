#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "pipe/io_thread.h"
#include "pipe/pipe.h"
#include "tests/certs/test_pki.h"
#include "tests/wait.h"

/// Real sockets for the suites of the pipe, and pipes on threads of their own.
namespace rp::pipe::test {

/// The PKI of the program; both good identities have the CRL installed.
certs::testing::TestPki& pki();
std::shared_ptr<const TlsContext> tls(certs::Role role);

/// A connected pair of TCP sockets on the loopback interface; whoever takes one closes it.
struct SocketPair {
  SocketPair();
  int dialled;
  int accepted;
};

/// An answer that a thread may wait for. Counts how often it is completed.
class WaitingSink final : public ReplySink {
 public:
  void reply(ReplyHead&& head, std::string&& body) override;
  void begin(ReplyHead&& head) override;
  void data(std::string piece) override;
  void end() override;
  void fail(Failure failure) override;

  /// Bytes of streamed replies are given back through this; set it before the answer can come.
  void consume_with(std::shared_ptr<CallControl> control);
  bool wait();
  int endings() const;
  std::string body() const;
  std::optional<Failure> failure() const;
  Errc failed_with() const;

 private:
  void complete(std::unique_lock<std::mutex> lock);

  mutable std::mutex mutex_;
  std::condition_variable done_;
  std::shared_ptr<CallControl> control_;
  std::size_t unconsumed_ = 0;
  int endings_ = 0;
  std::string body_;
  std::optional<Failure> failure_;
};

/// Handlers by noun: "echo" gives the body back, "size" its length, "stall" never answers until
/// release(), "page" replies with 60 KB and "big" with 1 MiB, "thread" echoes from a thread of its
/// own.
class LocalHandlers final : public EventTarget {
 public:
  ~LocalHandlers() override;
  std::shared_ptr<CallControl> submit(Event&& event, std::string&& body, const Origin& origin,
                                      std::shared_ptr<ReplySink>&& sink) override;
  /// Answers all that stall.
  void release();
  std::size_t stalled() const;
  Origin last_origin() const;
  std::atomic<int> submitted{0};
  std::atomic<int> cancelled{0};

 private:
  class Call;
  void answer(const std::string& noun, std::string body, std::shared_ptr<ReplySink> sink);

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<ReplySink>> stalled_;
  std::vector<std::thread> threads_;
  Origin last_origin_;
};

/// One pipe on an I/O thread of its own, with its handlers. It ends with its first link, unless it
/// is told to keep its session.
class PipeHost final : public PipeOwner {
 public:
  explicit PipeHost(certs::Role role, Pipe::Options options = {});
  /// Ends the pipe, waits for that, then stops the thread.
  ~PipeHost() override;

  /// Before start(): a further start() goes on with the session, as both ends here trust each other
  /// to mean the same one.
  void keep_session() { keeps_session_ = true; }
  /// Takes the socket and starts. `host` is what a client expects of the server's certificate.
  void start(int socket, std::string host = "localhost");
  bool wait_open();
  /// Waits until the pipe has been without a link `times` times.
  bool wait_detached(int times = 1);
  /// Why the pipe ended.
  error_code wait_end();
  bool has_ended();
  const std::string& detail() const { return detail_; }  ///< after wait_end()

  /// Ends the pipe, or its handshake.
  void close(error_code why);
  /// Runs on the pipe's thread and waits for it. False when there is no pipe.
  bool at_home(const std::function<void(Pipe&)>& f);
  std::shared_ptr<WaitingSink> call(const std::string& noun, std::string body = {});
  std::shared_ptr<CallControl> last_control() const { return last_control_; }
  std::shared_ptr<EventTarget> target();
  IoThread& thread() { return thread_; }

  LocalHandlers handlers;
  /// Asked when the peer has said HELLO; an error refuses it.
  std::function<error_code(const Origin& peer)> admit;
  std::atomic<int> draining{0};

 private:
  void pipe_opened(Pipe& pipe) override;
  void pipe_draining(Pipe& pipe, const Failure& reason) override;
  void pipe_expired(Pipe& pipe) override;
  bool pipe_peer_gone(Pipe&) override { return true; }
  void pipe_pinged(Pipe&) override {}
  void pipe_ponged(Pipe&, Clock::duration) override {}
  boost::asio::awaitable<void> carry(int socket, std::string host);
  boost::asio::awaitable<error_code> greet(Handshake& handshake);
  Pipe::Options named_options() const;
  void finish(error_code why, std::string detail);

  const certs::Role role_;
  const Pipe::Options options_;
  IoThread thread_;
  Handshake* handshake_ = nullptr;  // touched on the thread only, like the next one
  std::unique_ptr<Pipe> pipe_;
  bool started_ = false;
  bool keeps_session_ = false;
  std::shared_ptr<CallControl> last_control_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int detached_ = 0;
  std::shared_ptr<EventTarget> target_;
  std::optional<error_code> ended_;
  std::string detail_;
};

}  // namespace rp::pipe::test
