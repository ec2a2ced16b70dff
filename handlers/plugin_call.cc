#include "handlers/plugin_call.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <limits>
#include <string>
#include <utility>

#include "handlers/exception_object.h"
#include "pipe/event.h"

restpipe_call::restpipe_call(rp::handlers::Responder r) : responder(std::move(r)) {
  using rp::handlers::to_text;
  const auto& asked = responder.invocation();
  for (const auto arg : asked.args) args.push_back(to_text(arg));
  for (const auto& header : asked.event.headers) {
    headers.push_back({to_text(header.name), to_text(header.value)});
  }
  invocation.size = sizeof(invocation);
  invocation.method = to_text(asked.method);
  invocation.verb = to_text(asked.verb);
  invocation.noun = to_text(asked.noun);
  invocation.args = args.data();
  invocation.args_count = args.size();
  invocation.query = to_text(asked.event.query);
  invocation.headers = headers.data();
  invocation.headers_count = headers.size();
  invocation.content_type = to_text(asked.event.content_type);
  invocation.body = to_text(asked.body);
  invocation.origin_node = to_text(asked.origin.node);
  invocation.origin_address = to_text(asked.origin.address);
  invocation.origin_port = asked.origin.port;
  invocation.request_id = to_text(asked.event.request_id);
  invocation.body_follows = asked.event.body_follows ? 1 : 0;
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  invocation.body_bytes =
      asked.body_bytes ? static_cast<std::int64_t>(std::min(*asked.body_bytes, kMost)) : -1;
}

void restpipe_call::on_cancel(void (*callback)(void*), void* user) {
  std::call_once(cancel_once,
                 [this] { cancel_slot = std::make_shared<rp::handlers::CallbackSlot>(); });
  if (callback == nullptr) return cancel_slot->clear();
  cancel_slot->set([callback, user] { callback(user); });
  if (responder.is_cancelled()) return cancel_slot->fire();
  if (!cancel_listener) cancel_listener.emplace(responder.stop_token(), Fire{cancel_slot});
}

namespace rp::handlers {
namespace {

// The fields that version 1 of the contract has: a smaller struct is not one.
constexpr std::size_t kHeadBytesMin =
    offsetof(restpipe_reply_head, body_is_json) + sizeof(std::uint32_t);
constexpr std::size_t kExceptionBytesMin =
    offsetof(restpipe_exception, traceback) + sizeof(restpipe_text);

restpipe_status to_status(Answer answer) noexcept {
  switch (answer) {
    case Answer::ok:
      return RESTPIPE_OK;
    case Answer::answered:
      return RESTPIPE_ANSWERED;
    case Answer::gone:
      return RESTPIPE_GONE;
    case Answer::would_block:
      return RESTPIPE_WOULD_BLOCK;
    case Answer::body_ended:
      return RESTPIPE_BODY_END;
    case Answer::body_broken:
      return RESTPIPE_BODY_BROKEN;
    case Answer::invalid:
      break;
  }
  return RESTPIPE_INVALID;
}

/// Runs `body` so that nothing is thrown into the plugin; what may be thrown is "out of memory".
template <class Body>
restpipe_status guarded(Body body) noexcept {
  try {
    return body();
  } catch (...) {
    return RESTPIPE_INVALID;
  }
}

bool is_json_type(std::string_view content_type) {
  auto type = std::string(content_type.substr(0, content_type.find(';')));
  while (type.ends_with(' ')) type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return type == "application/json" || type.ends_with("+json");
}

/// The plugin's answer breaks a rule of its own: the caller learns it as from a handler that threw.
restpipe_status refuse(restpipe_call& call, const char* class_name, std::string what) {
  const auto& asked = call.responder.invocation();
  const auto answer = call.responder.raise(
      {class_name, std::move(what), traceback_line(asked.method, asked.event.request_id)});
  return answer == Answer::ok ? static_cast<restpipe_status>(RESTPIPE_INVALID) : to_status(answer);
}

std::optional<std::string> what_is_wrong_with(const restpipe_reply_head* head) {
  if (head == nullptr || head->size < kHeadBytesMin) return "the reply has no head";
  if (head->code < 0 || head->code > std::numeric_limits<std::uint32_t>::max()) {
    return "return code " + std::to_string(head->code) + " is not in 0..4294967295";
  }
  return std::nullopt;
}

pipe::ReplyHead to_reply_head(const restpipe_reply_head& head) {
  const auto type = to_view(head.content_type);
  pipe::ReplyHead reply{static_cast<std::uint32_t>(head.code),
                        std::string(type.empty() ? "application/json" : type),
                        {}};
  for (std::size_t i = 0; i < head.headers_count; ++i) {
    reply.headers.push_back(
        {std::string(to_view(head.headers[i].name)), std::string(to_view(head.headers[i].value))});
  }
  return reply;
}

restpipe_status answer_with(restpipe_call* call, const restpipe_reply_head* head,
                            restpipe_text body) {
  if (auto wrong = what_is_wrong_with(head)) return refuse(*call, "ValueError", std::move(*wrong));
  auto reply = to_reply_head(*head);
  if (head->body_is_json != 0 && !is_json_type(reply.content_type)) {
    return refuse(*call, "TypeError",
                  "a value cannot be sent as '" + reply.content_type +
                      "': only text can, or a value as application/json");
  }
  return to_status(call->responder.reply(std::move(reply), std::string(to_view(body))));
}

restpipe_status begin_with(restpipe_call* call, const restpipe_reply_head* head) {
  if (auto wrong = what_is_wrong_with(head)) return refuse(*call, "ValueError", std::move(*wrong));
  return to_status(call->responder.begin(to_reply_head(*head)));
}

restpipe_status raise_with(restpipe_call* call, const restpipe_exception* exception) {
  if (exception == nullptr || exception->size < kExceptionBytesMin) return RESTPIPE_INVALID;
  const auto& asked = call->responder.invocation();
  Exception described{std::string(to_view(exception->class_name)),
                      std::string(to_view(exception->message)),
                      std::string(to_view(exception->traceback))};
  // Callers may rely on all three.
  if (described.class_name.empty()) described.class_name = "Exception";
  if (described.message.empty()) described.message = described.class_name;
  if (described.traceback.empty()) {
    described.traceback = traceback_line(asked.method, asked.event.request_id);
  }
  return to_status(call->responder.raise(described));
}

std::int64_t time_left_ms(restpipe_call* call) {
  const auto left = call->responder.time_left();
  return left ? left->count() : -1;
}

std::chrono::milliseconds to_wait(std::int64_t wait_ms) {
  return wait_ms < 0 ? std::chrono::milliseconds::max() : std::chrono::milliseconds(wait_ms);
}

restpipe_status read_body(restpipe_call* call, char* buffer, std::size_t size, std::int64_t wait_ms,
                          std::size_t* got) {
  if (got == nullptr || (buffer == nullptr && size > 0)) return RESTPIPE_INVALID;
  const auto read = call->responder.read(buffer, size, to_wait(wait_ms));
  *got = read.bytes;
  return to_status(read.status);
}

std::function<void()> to_callback(void (*callback)(void*), void* user) {
  if (callback == nullptr) return {};
  return [callback, user] { callback(user); };
}

}  // namespace

void set_call_functions(restpipe_host& host) noexcept {
  host.retain = [](restpipe_call* call) { call->retain(); };
  host.release = [](restpipe_call* call) { call->release(); };
  host.time_left_ms = [](restpipe_call* call) { return time_left_ms(call); };
  host.is_cancelled = [](restpipe_call* call) -> std::int32_t {
    return call->responder.is_cancelled() ? 1 : 0;
  };
  host.on_cancel = [](restpipe_call* call, void (*callback)(void*), void* user) {
    guarded([&] { return call->on_cancel(callback, user), RESTPIPE_OK; });
  };
  host.reply = [](restpipe_call* call, const restpipe_reply_head* head, restpipe_text body) {
    return guarded([&] { return answer_with(call, head, body); });
  };
  host.raise = [](restpipe_call* call, const restpipe_exception* exception) {
    return guarded([&] { return raise_with(call, exception); });
  };
  host.begin = [](restpipe_call* call, const restpipe_reply_head* head) {
    return guarded([&] { return begin_with(call, head); });
  };
  host.write = [](restpipe_call* call, restpipe_text piece, std::int64_t wait_ms) {
    return guarded(
        [&] { return to_status(call->responder.write(to_view(piece), to_wait(wait_ms))); });
  };
  host.on_writable = [](restpipe_call* call, void (*callback)(void*), void* user) {
    guarded([&] {
      call->responder.on_writable(to_callback(callback, user));
      return RESTPIPE_OK;
    });
  };
  host.end = [](restpipe_call* call) {
    return guarded([&] { return to_status(call->responder.end()); });
  };
  host.read = [](restpipe_call* call, char* buffer, std::size_t size, std::int64_t wait_ms,
                 std::size_t* got) {
    return guarded([&] { return read_body(call, buffer, size, wait_ms, got); });
  };
  host.on_readable = [](restpipe_call* call, void (*callback)(void*), void* user) {
    guarded([&] {
      call->responder.on_readable(to_callback(callback, user));
      return RESTPIPE_OK;
    });
  };
}

}  // namespace rp::handlers
