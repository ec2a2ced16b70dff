#include "handlers/files/selection.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "handlers/files/http_date.h"
#include "handlers/local/header_text.h"

namespace rp::handlers {
namespace {

/// Null when there is none; lines of one name are one list, but no two of these make sense.
const std::string* header(const pipe::Headers& headers, std::string_view name) {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [&](const pipe::Header& h) { return h.name == name; });
  return found == headers.end() ? nullptr : &found->value;
}

/// Whether a list of entity tags names ours. Weak tags match only where `weak` allows it. Our tags
/// hold no comma, so those of others may be cut anywhere.
bool names_tag(std::string_view list, std::string_view etag, bool weak) {
  if (trimmed(list) == "*") return true;
  while (!list.empty()) {
    const auto comma = list.find(',');
    auto tag = trimmed(list.substr(0, comma));
    if (weak && tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == etag) return true;
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
  return false;
}

bool changed_since(const std::string& date, const FileState& file) {
  const auto time = parse_http_date(date);
  return !time || file.modified > *time;
}

/// 412, 304, or 200 for going on.
std::uint16_t judge_conditions(const pipe::Headers& headers, const FileState& file) {
  if (const auto* tags = header(headers, "if-match")) {
    if (!names_tag(*tags, file.etag, false)) return 412;
  } else if (const auto* date = header(headers, "if-unmodified-since")) {
    if (parse_http_date(*date) && changed_since(*date, file)) return 412;
  }
  if (const auto* tags = header(headers, "if-none-match")) {
    return names_tag(*tags, file.etag, true) ? 304 : 200;
  }
  const auto* date = header(headers, "if-modified-since");
  return date != nullptr && !changed_since(*date, file) ? 304 : 200;
}

/// A range counts only for the very state that its sender has.
bool range_applies(const pipe::Headers& headers, const FileState& file) {
  const auto* condition = header(headers, "if-range");
  if (condition == nullptr) return true;
  if (condition->starts_with('"')) return *condition == file.etag;
  return parse_http_date(*condition) == file.modified;
}

std::optional<std::uint64_t> number(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || ec != std::errc() || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return value;
}

Selection part(std::uint64_t begin, std::uint64_t bytes) { return {206, begin, bytes}; }

/// "bytes=0-99", "bytes=100-", "bytes=-100"; nothing for what is to be ignored.
std::optional<Selection> select_range(std::string_view range, std::uint64_t file_bytes) {
  constexpr std::string_view kUnit = "bytes=";
  if (!range.starts_with(kUnit)) return std::nullopt;
  range = trimmed(range.substr(kUnit.size()));
  const auto dash = range.find('-');
  if (dash == std::string_view::npos || range.find(',') != std::string_view::npos) {
    return std::nullopt;
  }
  const auto first = number(range.substr(0, dash));
  const auto last = number(range.substr(dash + 1));
  const bool open_ended = dash + 1 == range.size();
  const Selection nothing{416, 0, 0};
  if (dash == 0) {  // the last so many bytes
    if (!last || file_bytes == 0) return std::nullopt;
    if (*last == 0) return nothing;
    const auto bytes = std::min(*last, file_bytes);
    return part(file_bytes - bytes, bytes);
  }
  if (!first || (!last && !open_ended) || (last && *last < *first)) return std::nullopt;
  if (*first >= file_bytes) return nothing;
  const auto end = last ? std::min(*last, file_bytes - 1) : file_bytes - 1;
  return part(*first, end - *first + 1);
}

}  // namespace

Selection select(const pipe::Headers& headers, const FileState& file) {
  const auto status = judge_conditions(headers, file);
  if (status != 200) return {status, 0, 0};
  const auto* range = header(headers, "range");
  if (range != nullptr && range_applies(headers, file)) {
    if (const auto selected = select_range(*range, file.bytes)) return *selected;
  }
  return {200, 0, file.bytes};
}

}  // namespace rp::handlers
