#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "handlers/exec/child.h"
#include "handlers/exec/exec_target.h"
#include "handlers/exec/method_files.h"
#include "handlers/exec/process_slots.h"
#include "handlers/local/local_call.h"
#include "handlers/noun.h"

namespace rp::handlers {

struct ExecTarget::Shared {
  Shared(ExecOptions o, Threads& t)
      : options(std::move(o)), threads(t), slots(options.processes_max, options.waiting_max) {}

  const ExecOptions options;
  Threads& threads;
  ProcessSlots slots;  // on the I/O thread

  // A process begins with its slot, and ends when it has been waited for.
  void process_begins();
  void process_ends();

  std::mutex mutex;  // guards the count
  std::condition_variable process_ended;
  std::size_t processes = 0;
};

/// One event that an executable answers: found, in line for a slot, running, answered.
class ExecCall final : public LocalCall, public ProcessSlots::Waiter {
 public:
  ExecCall(std::shared_ptr<ExecTarget::Shared> shared, pipe::Event event, std::string body,
           pipe::Origin origin, std::shared_ptr<pipe::ReplySink> sink);

 private:
  using Stream = boost::asio::posix::stream_descriptor;

  // LocalCall
  void on_start() override;
  void on_body() override { feed_input(); }
  void on_room() override { read_output(); }
  void on_over() override;
  // Waiter
  void on_slot() override;
  bool gave_up() const noexcept override { return over(); }

  void on_found(FoundMethod found);
  void on_started(pipe::Result<StartedChild> started);
  void run(StartedChild started);
  void on_ended(ChildEnd end);

  void feed_input();
  void wait_for_input();
  void close_input();

  void wait_for_output();
  void read_output();
  void take_output(std::string piece);
  bool take_cgi_head();
  void begin_reply();
  void read_errors();
  void wait_for_errors();

  void answer();
  void answer_status(int status);
  void log_end() const;
  std::shared_ptr<ExecCall> self();

  const std::shared_ptr<ExecTarget::Shared> shared_;
  const NounParts parts_;  // views into the event's noun
  const std::string method_;
  FoundMethod found_;

  std::shared_ptr<Child> child_;
  Stream input_;
  Stream output_;
  Stream errors_stream_;
  bool input_waits_ = false;  // for the executable to read
  bool output_waits_ = false;
  boost::asio::steady_timer hold_;  // how long output is held back for the exit status

  std::optional<ChildEnd> end_;
  bool output_ended_ = false;
  bool head_known_ = false;  // not yet, while a CGI script writes its headers
  bool begun_ = false;
  pipe::ReplyHead head_;
  std::string held_;    // output before the reply has begun
  std::string errors_;  // the end of stderr
};

}  // namespace rp::handlers
