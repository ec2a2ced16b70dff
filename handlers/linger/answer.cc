#include "handlers/linger/answer.h"

#include <random>
#include <utility>

#include "handlers/linger/text.h"
#include "handlers/local/header_text.h"

namespace rp::handlers::linger {
namespace {

using queue::Errc;

/// 32 hexadecimal digits, so that no two answers are ever taken for the same. Without the quotes of
/// an entity tag, as Linger sends them.
std::string random_tag() {
  thread_local std::mt19937_64 generator{[] {
    std::random_device device;
    return (std::uint64_t{device()} << 32U) ^ device();
  }()};
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string tag;
  for (int half = 0; half < 2; ++half) {
    auto bits = generator();
    for (int i = 0; i < 16; ++i, bits >>= 4U) tag.push_back(kDigits[bits & 15U]);
  }
  return tag;
}

std::string whole_seconds(queue::Milliseconds time) {
  return std::to_string(std::chrono::floor<std::chrono::seconds>(time).count());
}

}  // namespace

std::string full_text(const queue::Error& error) {
  const auto present = std::to_string(error.present);
  const auto who = error.of_all ? "All channels together" : "Channel " + shown(error.channel);
  if (!error.of_bytes && error.present >= error.limit) {
    return who + " is at the high-level mark with " + present + " messages";
  }
  return who + (error.of_all ? " hold " : " holds ") + present + " of at most " +
         std::to_string(error.limit) + (error.of_bytes ? " bytes" : " messages");
}

Refused refused(const queue::Error& error) {
  switch (error.code) {
    case Errc::full:
      return {507, full_text(error)};
    case Errc::disk_full:
      return {507, "The message store is full; nothing can be added until space is freed."};
    case Errc::unknown_message:
      return {404, "Message not found."};
    case Errc::unknown_channel:
      return {404, "Channel not found."};
    case Errc::stale_lease:
      return {409, "The lease has ended."};
    case Errc::bad_argument:
      return {400, shown(error.detail)};
    case Errc::overloaded:
      return {503, "The queue is overloaded: " + shown(error.detail) + '.'};
    case Errc::read_only:
      return {503, "The message store is read-only after a failed write."};
    case Errc::closed:
    case Errc::cancelled:
      return {503, "The queue is closing."};
    case Errc::damaged:
    case Errc::unreadable:
    case Errc::unsupported:
    case Errc::in_use:
    case Errc::unusable:
      break;
  }
  return {500, "The message store failed."};
}

Answer Answers::make(std::uint16_t status, std::string content_type, std::string body) const {
  Answer answer;
  answer.body = std::move(body);
  answer.head.content_type = std::move(content_type);
  answer.head.http_status = status;
  answer.head.headers.reserve(14);  // of a message
  answer.head.headers.push_back({"server", server_});
  answer.head.headers.push_back({"etag", random_tag()});
  return answer;
}

Answer Answers::json(std::uint16_t status, std::string text) const {
  return make(status, "application/json; charset=UTF-8", std::move(text));
}

Answer Answers::error(const Refused& refused) const {
  auto answer = make(refused.status, "text/plain",
                     "HTTP " + std::to_string(refused.status) + ' ' + refused.reason + '\n');
  answer.head.headers.push_back({std::string(pipe::kReasonHeader), refused.reason});
  if (refused.status == 503) answer.head.headers.push_back({"retry-after", "1"});
  return answer;
}

Answer Answers::unknown_message() const {
  auto answer = make(404, "text/plain", "");
  answer.head.headers.push_back({std::string(pipe::kReasonHeader), "Message not found."});
  return answer;
}

Answer Answers::method_not_allowed(std::string_view allow) const {
  auto answer = error({405, "Method Not Allowed"});
  answer.head.headers.push_back({"allow", std::string(allow)});
  return answer;
}

Answer Answers::not_found() const { return make(404, "text/html", "not found"); }

Answer Answers::failure(const queue::Error& error) const {
  if (error.code == Errc::unknown_message) return unknown_message();
  return this->error(refused(error));
}

Answer Answers::nothing_ready(std::string_view channel) const {
  auto answer = no_content();
  answer.head.headers.push_back({"x-linger-channel", shown(channel)});
  return answer;
}

Answer Answers::message(queue::Delivery delivery, bool with_lease) const {
  auto& message = delivery.message;
  // Whoever put it may not have come by HTTP.
  const bool sendable = is_header_value(message.content_type);
  auto answer = make(200, sendable ? std::move(message.content_type) : "application/octet-stream",
                     std::move(message.body));
  const auto add = [&](std::string name, std::string value) {
    answer.head.headers.push_back({std::move(name), std::move(value)});
  };
  add("x-linger-msg-id", std::to_string(message.id));
  add("x-linger-channel", shown(message.channel));
  add("x-linger-priority", std::to_string(message.priority));
  add("x-linger-timeout", whole_seconds(message.visibility));
  add("x-linger-deliver", std::to_string(message.deliveries_max));
  add("x-linger-delivered", std::to_string(message.delivered));
  add("x-linger-received", whole_seconds(message.age));
  add("x-linger-linger", whole_seconds(message.retention));
  add("x-linger-topic", shown(message.topic));
  if (with_lease) add("x-linger-lease", to_text(delivery.lease));
  if (!message.deaths.empty()) {
    add("x-linger-dead-channel", shown(message.deaths.back().channel));
    add("x-linger-dead-reason", std::string(name(message.deaths.back().reason)));
  }
  return answer;
}

}  // namespace rp::handlers::linger
