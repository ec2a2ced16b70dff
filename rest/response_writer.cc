#include "rest/response_writer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "rest/text.h"

namespace rp::rest {
namespace {

/// Names that the writer alone decides about.
bool is_ours(std::string_view name) {
  static constexpr std::array<std::string_view, 9> kOurs = {"connection",
                                                            "content-length",
                                                            "content-type",
                                                            "date",
                                                            "keep-alive",
                                                            "trailer",
                                                            "transfer-encoding",
                                                            "upgrade",
                                                            "x-content-type-options"};
  return std::any_of(kOurs.begin(), kOurs.end(),
                     [&](std::string_view ours) { return equals_ignoring_case(ours, name); });
}

void append_number(std::string& out, std::uint64_t value, int base = 10) {
  std::array<char, 24> digits{};
  const auto [end, ec] = std::to_chars(digits.data(), digits.data() + digits.size(), value, base);
  out.append(digits.data(), end);
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_framing(std::string& out, const Framed& framed) {
  if (framed.form == BodyForm::counted) {
    out += "Content-Length: ";
    append_number(out, framed.content_length);
    out += "\r\n";
  } else if (framed.form == BodyForm::chunked) {
    out += "Transfer-Encoding: chunked\r\n";
  }
  if (!framed.keep_alive) {
    out += "Connection: close\r\n";
  } else if (framed.minor_version == 0) {
    out += "Connection: keep-alive\r\n";
  }
}

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Unknown";
  }
}

std::string_view DateLine::get() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec == second_ && !line_.empty()) return line_;
  second_ = now.tv_sec;
  std::tm parts{};
  gmtime_r(&second_, &parts);
  // strftime's day and month names follow the locale; HTTP's do not.
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                       "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto two = [](int value) {
    return std::string{static_cast<char>('0' + value / 10), static_cast<char>('0' + value % 10)};
  };
  line_ = "Date: ";
  line_.append(kDays.at(static_cast<std::size_t>(parts.tm_wday))).append(", ");
  line_.append(two(parts.tm_mday)).append(" ");
  line_.append(kMonths.at(static_cast<std::size_t>(parts.tm_mon))).append(" ");
  line_.append(std::to_string(parts.tm_year + 1900)).append(" ");
  line_.append(two(parts.tm_hour)).append(":").append(two(parts.tm_min)).append(":");
  line_.append(two(parts.tm_sec)).append(" GMT\r\n");
  return line_;
}

void append_head(std::string& out, const ResponseHead& head, const Framed& framed, DateLine& date) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(head.status));
  out += ' ';
  const bool own_reason = !head.reason.empty() && is_header_value(head.reason);
  out.append(own_reason ? std::string_view(head.reason) : reason_phrase(head.status));
  out += "\r\n";
  for (const ResponseHeader& header : head.headers) {
    if (is_token(header.name) && is_header_value(header.value) && !is_ours(header.name))
      append_header(out, header.name, header.value);
  }
  if (!head.content_type.empty() && is_header_value(head.content_type))
    append_header(out, "Content-Type", head.content_type);
  if (head.timing) append_server_timing(out, *head.timing);
  out += "X-Content-Type-Options: nosniff\r\n";
  out += date.get();
  out += framed.further_lines;
  append_framing(out, framed);
  out += "\r\n";
}

void append_chunk_size(std::string& out, std::size_t size) {
  append_number(out, size, 16);
  out += "\r\n";
}

}  // namespace rp::rest
