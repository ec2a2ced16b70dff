#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/error.h"

/// Everything is an event, and every event has a handler. These are the shapes in which an event
/// and its answer pass between the REST front-end, the pipe and the handlers.
namespace rp::pipe {

/// Time-outs and deadlines run on this clock alone.
using Clock = std::chrono::steady_clock;

/// One header line; the name is lower-case.
struct Header {
  std::string name;
  std::string value;

  friend bool operator==(const Header&, const Header&) = default;
};
using Headers = std::vector<Header>;

/// A request to run one method on some node.
struct Event {
  std::string verb;          ///< the HTTP method in lower case: "get"
  std::string noun;          ///< the noun string as the caller wrote it, percent-decoded once and
                             ///< undivided: "cat//hello /world"; the side that runs it splits it
  std::string query;         ///< raw query string without '?'; not decoded
  std::string content_type;  ///< the request's Content-Type up to the first ';'; "" when absent
  Headers headers;           ///< the request headers that the front-end chose to forward
  std::string request_id;    ///< joins the log lines of both nodes; never empty inside a node
  Clock::time_point deadline = Clock::time_point::max();  ///< travels as time left

  std::string target;  ///< "" for the node that receives the event; else the client that a server
                       ///< passes it on to, or "*" for all of them
  std::string caller;  ///< on whose behalf a server passes the event on; "" for its own

  /// The body comes through CallControl::body_data() and body_end(); submit() is given an empty
  /// one.
  bool body_follows = false;
  std::optional<std::uint64_t> body_bytes = std::nullopt;  ///< its whole length, where it follows
                                                           ///< and the caller knows it
};

/// The head of a handler's answer.
struct ReplyHead {
  std::uint32_t code = 0;    ///< the event's return code, not an HTTP status: 0 is success
  std::string content_type;  ///< verbatim, parameters included; "" for none
  Headers headers;           ///< further response headers that the handler chose
  std::optional<std::uint64_t> body_bytes = std::nullopt;  ///< the whole body's length, where a
                                                           ///< streamed reply knows it beforehand
  /// Where the time went on the node whose handler answered, up to the beginning of the answer.
  std::chrono::microseconds queued{0};   ///< between the event's arrival and the handler's start
  std::chrono::microseconds handled{0};  ///< between the handler's start and its answer
  /// Of answers that stand for an HTTP response, from a proxied application or a file: its status,
  /// 200 to 599, which the REST front-end passes on. 0 for all others; they are HTTP 200.
  std::uint16_t http_status = 0;
};

/// Event headers that the REST front-end itself makes, for handlers that need more of the request
/// than a verb and a noun. A peer that is no front-end may put anything there.
///
/// The noun as it was written, still percent-encoded, where it has an encoded slash: in the noun
/// that is a slash like others. It counts only if it decodes to the noun, which is what policies
/// look at.
constexpr std::string_view kEncodedNounHeader = "x-event-noun";
/// "HEAD", of a request whose verb is `get` all the same.
constexpr std::string_view kMethodHeader = "x-event-method";
/// In an answer with an HTTP status: the reason phrase in place of the usual one. The front-end
/// takes it out.
constexpr std::string_view kReasonHeader = "x-event-reason";

/// Codes that the dispatcher itself answers with; a handler's own codes are free.
constexpr std::uint32_t kCodeNoSuchMethod = 255;
constexpr std::uint32_t kCodeException = 251;

/// What a body that follows may hold un-consumed, in either direction: enough to fill a pipe of
/// 100 ms at 40 Mbit/s, little enough that a thousand stalled streams stay at 512 MiB.
constexpr std::size_t kStreamWindowBytes = std::size_t{512} * 1024;

/// Where the answer to one event goes.
///
/// Exactly one of these orders happens: reply() alone; or begin(), any number of data(), end();
/// fail() may come instead of any next step and is then the last. Called on one thread at a time,
/// which need not be the thread of submit(); it may be called before submit() has returned.
/// Implementations return quickly and do not throw.
class ReplySink {
 public:
  virtual ~ReplySink() = default;

  /// The whole answer at once: the common case.
  virtual void reply(ReplyHead&& head, std::string&& body) = 0;

  /// An answer whose body follows in pieces. The producer keeps at most its window un-consumed:
  /// CallControl::consumed() asks for more.
  virtual void begin(ReplyHead&& head) = 0;
  virtual void data(std::string piece) = 0;
  virtual void end() = 0;

  virtual void fail(Failure failure) = 0;

  /// `bytes` of the request's body, given to CallControl::body_data(), are out of the target's
  /// hands; as many may follow. Comes from any thread, also while another member runs. After the
  /// answer is complete, or has failed, nothing more of the body is wanted.
  virtual void body_consumed(std::size_t /*bytes*/) {}
};

/// The caller's hand on an event that it submitted. Safe from any thread, at any time, also after
/// the answer is complete.
class CallControl {
 public:
  virtual ~CallControl() = default;

  /// Nobody waits any more: the handler's stop token fires, and the sink hears nothing further
  /// once this call is on its way (a call that is already running on another thread may finish).
  virtual void cancel() = 0;

  /// `bytes` of streamed reply body are out of the sink's hands; the producer may send as many.
  virtual void consumed(std::size_t bytes) = 0;

  /// The body of an event with Event::body_follows: any number of body_data(), then body_end().
  /// From one thread at a time, after submit() has returned. The caller keeps at most
  /// kStreamWindowBytes un-consumed: ReplySink::body_consumed() asks for more. A body that breaks
  /// off is a cancel(). Ignored once the answer is complete.
  virtual void body_data(std::string /*piece*/) {}
  virtual void body_end() {}
};

/// Who sent an event: the verified identity and the address it came from.
struct Origin {
  std::string node;     ///< identity from the certificate, the caller's where a server passed its
                        ///< event on; "" for the local REST front-end
  std::string address;  ///< textual IP address, or "unix"
  std::uint16_t port = 0;
};

/// Anything that answers events: the local handlers, or a peer behind a pipe.
class EventTarget {
 public:
  virtual ~EventTarget() = default;

  /// Safe from any thread. `sink` is kept until the answer is complete or cancelled. The result is
  /// never null.
  virtual std::shared_ptr<CallControl> submit(Event&& event, std::string&& body,
                                              const Origin& origin,
                                              std::shared_ptr<ReplySink>&& sink) = 0;
};

}  // namespace rp::pipe
