#include "server/gather_entry.h"

#include <algorithm>

#include "handlers/json_check.h"
#include "node/escape.h"
#include "pipe/base64.h"
#include "pipe/utf8.h"
#include "rest/text.h"

namespace rp::server {
namespace {

/// The media type without its parameters, in lower case.
std::string media_type(std::string_view content_type) {
  std::string type(rest::trimmed(content_type.substr(0, content_type.find(';'))));
  std::transform(type.begin(), type.end(), type.begin(), rest::to_lower);
  return type;
}

bool is_json(std::string_view type) {
  return type == "application/json" || type.ends_with("+json");
}

/// A reply without a type is text as long as it can be.
bool is_text(std::string_view type) { return type.empty() || type.starts_with("text/"); }

}  // namespace

std::string without_blanks(std::string_view text) {
  std::string compact;
  compact.reserve(text.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) continue;
    compact += c;
    if (c == '"') in_string = !in_string;
    if (c == '\\' && in_string && i + 1 < text.size()) compact += text[++i];
  }
  return compact;
}

std::string reply_members(const pipe::ReplyHead& head, std::string_view body) {
  std::string members = "\"code\":" + std::to_string(head.code);
  if (head.http_status != 0) members += ",\"status\":" + std::to_string(head.http_status);
  members += ",\"content_type\":" + node::json_quoted(head.content_type) + ",\"body\":";
  const std::string type = media_type(head.content_type);
  if (is_json(type) && !handlers::json_error(body)) {
    members += without_blanks(body);
  } else if ((is_json(type) || is_text(type)) && pipe::is_utf8(body)) {
    members += node::json_quoted(body);
  } else {
    members += '"' + pipe::base64(body) + "\",\"encoding\":\"base64\"";
  }
  return members;
}

std::string error_members(const pipe::Failure& failure) {
  const std::string detail =
      failure.detail.empty() ? make_error_code(failure.code).message() : failure.detail;
  return "\"error\":{\"code\":" + node::json_quoted(name(failure.code)) +
         ",\"detail\":" + node::json_quoted(detail) + '}';
}

}  // namespace rp::server
