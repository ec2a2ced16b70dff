#include "handlers/proxy/http_head.h"

#include <algorithm>
#include <array>
#include <sstream>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/write.hpp>

#include "handlers/local/header_text.h"
#include "handlers/local/mount_path.h"
#include "pipe/percent.h"

namespace rp::handlers {
namespace {

namespace http = boost::beast::http;

// Less than the 65,535 bytes of a head on the wire by what the fields add.
constexpr std::size_t kHeadBytesMax = std::size_t{56} * 1024;

/// Headers that belong to one hop (RFC 9110, section 7.6.1), or that we write ourselves.
bool is_ours(std::string_view name) {
  static constexpr std::array<std::string_view, 14> kNames = {"connection",
                                                              "content-length",
                                                              "content-type",
                                                              "expect",
                                                              "host",
                                                              "keep-alive",
                                                              "proxy-authenticate",
                                                              "proxy-authorization",
                                                              "proxy-connection",
                                                              "te",
                                                              "trailer",
                                                              "transfer-encoding",
                                                              "upgrade",
                                                              "x-request-id"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

constexpr std::string_view kCaller = "x-restpipe-caller";

/// What the front-end says about the request to handlers, not to applications.
bool is_about_event(std::string_view name) {
  return name == pipe::kEncodedNounHeader || name == pipe::kMethodHeader;
}

// What a raw query keeps beside letters and digits: all but what would end the request line or the
// query.
constexpr std::string_view kQueryMarks = "!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

std::string target(const ProxiedRequest& request) {
  std::string text(request.path.empty() ? "/" : request.path);
  if (!request.event.query.empty())
    text += '?' + pipe::percent_encoded(request.event.query, kQueryMarks);
  return text;
}

http::verb method(std::string_view verb) {
  if (verb == "post") return http::verb::post;
  if (verb == "put") return http::verb::put;
  if (verb == "delete") return http::verb::delete_;
  if (verb == "patch") return http::verb::patch;
  return http::verb::get;
}

/// With its parameters, where the front-end has kept them.
std::string content_type(const pipe::Event& event) {
  const auto whole = std::find_if(event.headers.begin(), event.headers.end(),
                                  [](const auto& h) { return h.name == "content-type"; });
  return whole == event.headers.end() ? event.content_type : whole->value;
}

/// Names that a Connection header takes along as headers of one hop.
bool is_named_by_connection(const http::response_header<>& response, std::string_view name) {
  for (const auto& option : http::token_list(response[http::field::connection])) {
    if (lower_case({option.data(), option.size()}) == name) return true;
  }
  return false;
}

/// The path of a URL at `authority`; "" for any other.
std::string_view path_at(std::string_view url, std::string_view authority) {
  constexpr std::string_view kScheme = "http://";
  const auto prefix = kScheme.size() + authority.size();
  if (url.size() < prefix ||
      lower_case(url.substr(0, prefix)) != std::string(kScheme) + lower_case(authority)) {
    return {};
  }
  const auto path = url.substr(prefix);
  return path.starts_with('/') ? path : path.empty() ? std::string_view("/") : std::string_view();
}

}  // namespace

RequestBody body_form(const ProxiedRequest& request) {
  if (request.event.body_follows) {
    return request.event.body_bytes ? RequestBody::counted : RequestBody::chunked;
  }
  const bool usual = request.event.verb != "get" && request.event.verb != "delete";
  return usual || request.body_bytes > 0 ? RequestBody::counted : RequestBody::none;
}

std::string request_head(const ProxiedRequest& request) {
  const auto& event = request.event;
  http::request<http::empty_body> message(method(event.verb), target(request), 11);
  message.set(http::field::host, std::string(request.authority));
  for (const auto& header : event.headers) {
    const bool passes = is_header_name(header.name) && is_header_value(header.value);
    if (passes && !is_ours(header.name) && !is_about_event(header.name) && header.name != kCaller) {
      message.insert(header.name, header.value);
    }
  }
  if (const auto type = content_type(event); !type.empty() && is_header_value(type)) {
    message.set(http::field::content_type, type);
  }
  message.set("x-request-id", event.request_id);
  if (!request.origin.node.empty()) message.set(kCaller, request.origin.node);
  if (body_form(request) == RequestBody::chunked) message.chunked(true);
  if (body_form(request) == RequestBody::counted) {
    message.content_length(event.body_follows ? *event.body_bytes : request.body_bytes);
  }
  std::ostringstream text;
  text << message.base();
  return std::move(text).str();
}

pipe::ReplyHead reply_head(const http::response_header<>& response, std::string& what_is_wrong) {
  const auto status = response.result_int();
  pipe::ReplyHead head;
  head.http_status = static_cast<std::uint16_t>(status);
  head.code = status < 400 ? 0 : status;
  std::size_t bytes = 0;
  for (const auto& field : response) {
    auto name = lower_case({field.name_string().data(), field.name_string().size()});
    const std::string_view value(field.value().data(), field.value().size());
    if (name == "content-type") head.content_type = value;
    if (is_ours(name) || is_named_by_connection(response, name)) continue;
    bytes += name.size() + value.size();
    if (!is_header_name(name) || !is_header_value(value)) {
      what_is_wrong = "its header " + name + " is malformed or longer than 8 KiB";
    }
    head.headers.push_back({std::move(name), std::string(value)});
  }
  if (status < 200 || status > 599) what_is_wrong = "its status is not between 200 and 599";
  if (head.headers.size() > kHeadersMax) what_is_wrong = "it has more than 64 headers";
  if (bytes > kHeadBytesMax) what_is_wrong = "its headers are longer than 56 KiB";
  if (head.content_type.size() > kContentTypeBytesMax || !is_header_value(head.content_type)) {
    what_is_wrong = "its content type is malformed or longer than 1 KiB";
  }
  return head;
}

std::string relative_location(std::string_view location, std::string_view authority,
                              std::string_view mount, std::string_view path) {
  const bool is_path = location.starts_with('/') && !location.starts_with("//");
  auto inside = is_path ? location : path_at(location, authority);
  if (inside.empty()) return std::string(location);
  inside.remove_prefix(1);
  if (path.empty()) {  // the address ends with the mount itself
    return "./" + encoded_path(mount.substr(mount.rfind('/') + 1)) + "//" + std::string(inside);
  }
  const auto depth = std::count(path.begin() + 1, path.end(), '/');
  std::string relative = depth == 0 ? "./" : "";
  for (auto i = depth; i > 0; --i) relative += "../";
  return relative.append(inside);
}

}  // namespace rp::handlers
