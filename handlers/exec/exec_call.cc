#include "handlers/exec/exec_call.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <utility>

#include <signal.h>
#include <unistd.h>

#include "handlers/exception_object.h"
#include "handlers/exec/cgi_head.h"
#include "handlers/exec/child_context.h"
#include "pipe/log.h"

namespace rp::handlers {
namespace {

using boost::asio::posix::descriptor_base;

// Output is held until the exit status is known, at most this much and this long after the first
// byte: so the code of what answers quickly is right, and an event stream begins at once.
constexpr std::size_t kHeldBytesMax = std::size_t{64} * 1024;
constexpr std::chrono::milliseconds kHeldMax{100};

constexpr std::size_t kReadBytesMax = std::size_t{64} * 1024;
constexpr std::size_t kErrorBytesMax = std::size_t{4} * 1024;  // of stderr, that the log gets

constexpr std::string_view kEventStream = "text/event-stream";

/// read() that is not interrupted; -1 with EAGAIN when there is nothing now.
ssize_t read_some(int fd, char* to, std::size_t bytes) {
  for (;;) {
    const auto n = ::read(fd, to, bytes);
    if (n >= 0 || errno != EINTR) return n;
  }
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

std::string signal_text(int signal) {
  const char* const name = sigabbrev_np(signal);
  return "signal " + std::to_string(signal) +
         (name == nullptr ? std::string() : " (SIG" + std::string(name) + ')');
}

/// Why an executable did not start, without its path.
std::string start_error(const pipe::error_code& ec) {
  std::string text = "it could not be started: " + ec.message();
  if (ec.value() == ENOEXEC) text += "; a script begins with a line like #!/bin/sh";
  if (ec.value() == ENOENT) text += "; does the interpreter in its #! line exist?";
  return text;
}

}  // namespace

ExecCall::ExecCall(std::shared_ptr<ExecTarget::Shared> shared, pipe::Event event, std::string body,
                   pipe::Origin origin, std::shared_ptr<pipe::ReplySink> sink)
    : LocalCall(shared->threads.context(), std::move(event), std::move(body), std::move(origin),
                std::move(sink)),
      shared_(std::move(shared)),
      parts_(split_noun(this->event().noun)),
      method_(method_name(this->event().verb, parts_.noun)),
      input_(context()),
      output_(context()),
      errors_stream_(context()),
      hold_(context()) {}

std::shared_ptr<ExecCall> ExecCall::self() {
  return std::static_pointer_cast<ExecCall>(shared_from_this());
}

void ExecCall::on_start() {
  if (method_.empty()) return reply({pipe::kCodeNoSuchMethod, "text/plain", {}}, {});
  if (parts_.too_many_args) {
    return reply(
        {pipe::kCodeException, "application/json", {}},
        exception_body({"ValueError",
                        "more than " + std::to_string(kArgsMax) + " arguments in the address",
                        traceback_line(method_, event().request_id)}));
  }
  shared_->threads.off_thread(
      [shared = shared_, method = method_] {
        return find_method(shared->options.directories, method);
      },
      [call = self()](FoundMethod found) { call->on_found(std::move(found)); });
}

void ExecCall::on_found(FoundMethod found) {
  if (over()) return;
  found_ = std::move(found);
  if (found_.kind == FoundMethod::Kind::none) {
    return reply({pipe::kCodeNoSuchMethod, "text/plain", {}}, {});
  }
  if (found_.kind == FoundMethod::Kind::refused) {
    log(LogLevel::error, "exec", "A method must not be run",
        {{"method", method_}, {"request_id", event().request_id}, {"why", found_.why}});
    return fail(pipe::Errc::handler_unavailable,
                method_ + " must not be run as it is; this node's log says why");
  }
  if (!shared_->slots.take(self())) {
    fail(pipe::Errc::overloaded, "too many calls wait for a process on this node");
  }
}

void ExecCall::on_slot() {
  shared_->process_begins();
  ChildCommand command;
  command.path = found_.path;
  command.directory = std::filesystem::path(found_.path).parent_path();
  command.arguments.assign(parts_.args.begin(), parts_.args.end());
  command.environment =
      child_environment(event(), origin(), method_, parts_.noun, shared_->options.node);
  shared_->threads.off_thread([command = std::move(command)] { return start_child(command); },
                              [call = self()](pipe::Result<StartedChild> started) {
                                call->on_started(std::move(started));
                              });
}

void ExecCall::on_started(pipe::Result<StartedChild> started) {
  if (started) return run(std::move(*started));
  shared_->process_ends();
  log(LogLevel::error, "exec", "An executable did not start",
      {{"path", found_.path},
       {"request_id", event().request_id},
       {"why", started.error().message()}});
  fail(pipe::Errc::handler_unavailable, method_ + ": " + start_error(started.error()));
}

void ExecCall::run(StartedChild started) {
  child_ = std::make_shared<Child>(context(), started.pid, std::move(started.process));
  child_->watch([call = self()](ChildEnd end) {
    call->shared_->process_ends();
    call->on_ended(end);
  });
  if (over()) return child_->terminate();
  input_.assign(started.input.release());
  output_.assign(started.output.release());
  errors_stream_.assign(started.errors.release());
  head_known_ = !found_.is_cgi;
  head_.content_type = "text/plain";
  feed_input();
  wait_for_output();
  wait_for_errors();
}

void ExecCall::on_over() {
  if (child_ && !end_) child_->terminate();
  boost::system::error_code ignored;
  input_.close(ignored);
  output_.close(ignored);
  errors_stream_.close(ignored);
  hold_.cancel();
}

// Its stdin.

void ExecCall::feed_input() {
  if (!child_) return;
  while (!over() && !input_waits_) {
    const auto piece = body();
    if (piece.empty()) {
      if (body_complete()) close_input();
      return;
    }
    if (!input_.is_open()) {  // what it does not want is taken off the caller's hands all the same
      use_body(piece.size());
      continue;
    }
    const auto n = ::write(input_.native_handle(), piece.data(), piece.size());
    if (n > 0) {
      use_body(static_cast<std::size_t>(n));
    } else if (would_block()) {
      return wait_for_input();
    } else if (errno != EINTR) {
      close_input();  // it wants no more, which is its right
    }
  }
}

void ExecCall::wait_for_input() {
  input_waits_ = true;
  input_.async_wait(descriptor_base::wait_write,
                    [call = self()](const boost::system::error_code& ec) {
                      call->input_waits_ = false;
                      if (!ec) call->feed_input();
                    });
}

void ExecCall::close_input() {
  boost::system::error_code ignored;
  input_.close(ignored);
}

// Its stdout.

void ExecCall::wait_for_output() {
  if (output_waits_ || over() || !output_.is_open()) return;
  output_waits_ = true;
  output_.async_wait(descriptor_base::wait_read,
                     [call = self()](const boost::system::error_code& ec) {
                       call->output_waits_ = false;
                       if (!ec) call->read_output();
                     });
}

/// Reads one piece, so that calls take turns. Once the process has ended, what is in the pipe is
/// all there is, even if another process still holds its other end.
void ExecCall::read_output() {
  if (over() || output_ended_ || !output_.is_open()) return;
  const auto wanted = std::min(begun_ ? room() : kHeldBytesMax - held_.size(), kReadBytesMax);
  if (wanted == 0) return;  // on_room() goes on
  std::string piece(wanted, '\0');
  const auto n = read_some(output_.native_handle(), piece.data(), piece.size());
  if (n > 0) {
    piece.resize(static_cast<std::size_t>(n));
    take_output(std::move(piece));
  } else if (n == 0 || !would_block() || end_) {
    output_ended_ = true;
    return answer();
  }
  if (!end_) return wait_for_output();
  boost::asio::post(context(), [call = self()] { call->read_output(); });
}

void ExecCall::take_output(std::string piece) {
  if (begun_) return write(std::move(piece));
  if (held_.empty()) {
    hold_.expires_after(kHeldMax);
    hold_.async_wait([call = self()](const boost::system::error_code& ec) {
      if (!ec && !call->over() && call->head_known_) call->begin_reply();
    });
  }
  held_ += piece;
  if (!head_known_ && !take_cgi_head()) return;
  if (held_.size() >= kHeldBytesMax || head_.content_type.starts_with(kEventStream)) begin_reply();
}

/// False while there is no whole head, or when there will never be one.
bool ExecCall::take_cgi_head() {
  auto cgi = read_cgi_head(held_);
  if (cgi.state == CgiHead::State::incomplete) return false;
  if (cgi.state == CgiHead::State::malformed) {
    fail(pipe::Errc::handler_failed, method_ + ": " + cgi.what_is_wrong);
    return false;
  }
  head_ = std::move(cgi.head);
  held_.erase(0, cgi.bytes);
  head_known_ = true;
  return true;
}

void ExecCall::begin_reply() {
  if (begun_) return;
  begun_ = true;
  begin(pipe::ReplyHead(head_));
  write(std::exchange(held_, {}));
}

// Its stderr.

void ExecCall::wait_for_errors() {
  if (over() || !errors_stream_.is_open()) return;
  errors_stream_.async_wait(descriptor_base::wait_read,
                            [call = self()](const boost::system::error_code& ec) {
                              if (!ec && !call->over()) call->read_errors();
                            });
}

void ExecCall::read_errors() {
  std::array<char, kErrorBytesMax> buffer;
  const auto n = read_some(errors_stream_.native_handle(), buffer.data(), buffer.size());
  if (n > 0) {
    errors_.append(buffer.data(), static_cast<std::size_t>(n));
    if (errors_.size() > kErrorBytesMax) errors_.erase(0, errors_.size() - kErrorBytesMax);
  } else if (n == 0 || !would_block()) {
    boost::system::error_code ignored;
    errors_stream_.close(ignored);
  }
  wait_for_errors();
}

// Its end.

void ExecCall::on_ended(ChildEnd end) {
  end_ = end;
  if (over()) return;
  boost::system::error_code ignored;
  if (errors_stream_.is_open()) {
    errors_stream_.cancel(ignored);
    std::array<char, std::size_t{16} * kErrorBytesMax> rest;  // what a pipe holds
    const auto n = read_some(errors_stream_.native_handle(), rest.data(), rest.size());
    if (n > 0) errors_.append(rest.data(), static_cast<std::size_t>(n));
    if (errors_.size() > kErrorBytesMax) errors_.erase(0, errors_.size() - kErrorBytesMax);
    errors_stream_.close(ignored);
  }
  if (output_ended_) return answer();
  read_output();
}

void ExecCall::answer() {
  if (over() || !end_ || !output_ended_) return;
  log_end();
  if (end_->signal != 0) {
    return fail(pipe::Errc::handler_crashed,
                method_ + " was ended by " + signal_text(end_->signal));
  }
  if (!begun_ && !head_known_) {
    return fail(pipe::Errc::handler_failed, method_ + " ended before the end of its headers");
  }
  answer_status(end_->status);
}

void ExecCall::answer_status(int status) {
  if (begun_ && status == 0) return end();
  if (begun_) {
    return fail(
        pipe::Errc::handler_failed,
        method_ + " ended with status " + std::to_string(status) + " after its reply had begun");
  }
  head_.code = static_cast<std::uint32_t>(status);
  if (status != 0 && held_.empty()) {
    head_.content_type = "text/plain";
    held_ = error_line(errors_);
  }
  reply(std::move(head_), std::move(held_));
}

void ExecCall::log_end() const {
  const bool failed = end_->signal != 0 || end_->status != 0;
  if (!failed && errors_.empty()) return;
  log(failed ? LogLevel::warning : LogLevel::info, "exec",
      failed ? "An executable failed" : "An executable wrote to stderr",
      {{"method", method_},
       {"request_id", event().request_id},
       {"peer", origin().node},
       {"end",
        end_->signal != 0 ? signal_text(end_->signal) : "status " + std::to_string(end_->status)},
       {"stderr", errors_}});
}

}  // namespace rp::handlers
