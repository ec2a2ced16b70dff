#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pipe/error.h"

namespace rp::pipe {

/// Asks the system's resolver, which can be neither hurried nor interrupted: where no name server
/// answers it takes half a minute. So each question has a thread while it is asked, and a process
/// ends without waiting for them; asio's resolvers keep the next question, and the end of their
/// context, waiting for the last one.
///
/// Safe from any thread. Held by shared_ptr.
class NameService final {
 public:
  using Addresses = std::vector<boost::asio::ip::address>;
  /// Blocks. Called by several threads at once.
  using Ask = std::function<Result<Addresses>(const std::string& host)>;

  /// The process's own, so that its bound holds for all of the process.
  static const std::shared_ptr<NameService>& of_process();

  /// At most `at_once_max` threads ask at once; further questions wait.
  NameService(Ask ask, std::size_t at_once_max);
  NameService(const NameService&) = delete;
  NameService& operator=(const NameService&) = delete;

 private:
  friend class NameLookup;
  struct Question;
  struct State;  // shared with the threads, which may outlive everything else
  bool begin(std::shared_ptr<Question> question);
  static void work(const std::shared_ptr<State>& state);

  const std::shared_ptr<State> state_;
};

/// The addresses of one host, with a deadline. Lives on the one thread that runs the executor; may
/// be destroyed at any time.
class NameLookup final {
 public:
  explicit NameLookup(boost::asio::any_io_executor executor,
                      std::shared_ptr<NameService> names = NameService::of_process());
  NameLookup(const NameLookup&) = delete;
  NameLookup& operator=(const NameLookup&) = delete;
  ~NameLookup();

  /// At least one address, each once, in the resolver's order; for one in writing, that one. Once.
  ///   asio::error::timed_out          nothing was found within `time`
  ///   asio::error::operation_aborted  cancel()
  ///   asio::error::no_buffer_space    too many questions wait
  ///   others                          as the resolver says: host_not_found, no_data, ...
  boost::asio::awaitable<Result<NameService::Addresses>> run(std::string host,
                                                             std::chrono::milliseconds time);
  /// Ends run() soon, also one that has not begun.
  void cancel();

 private:
  const boost::asio::any_io_executor executor_;
  const std::shared_ptr<NameService> names_;
  boost::asio::steady_timer wait_;  // for the answer
  std::shared_ptr<NameService::Question> question_;
  bool cancelled_ = false;
};

}  // namespace rp::pipe
