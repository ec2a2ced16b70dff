#include "handlers/linger/parameters.h"

#include <algorithm>
#include <array>

#include "handlers/linger/text.h"
#include "handlers/local/header_text.h"
#include "pipe/percent.h"
#include "pipe/utf8.h"

namespace rp::handlers::linger {
namespace {

constexpr std::array<std::string_view, 22> kNames{
    "all",      "at",        "count",  "dead",    "dedup",  "delay", "deliver", "group",
    "hlm",      "hlm-bytes", "lease",  "limit",   "linger", "msg",   "nowait",  "offset",
    "priority", "reject",    "strict", "timeout", "wait",   "window"};

// Enough of a name to see what was meant.
constexpr std::size_t kShownBytesMax = 64;

bool is_known(std::string_view name) {
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

/// Whether `name` is one of `words`, which are divided by blanks.
bool is_among(std::string_view words, std::string_view name) {
  while (!words.empty()) {
    const auto word = words.substr(0, words.find(' '));
    if (word == name) return true;
    words.remove_prefix(std::min(word.size() + 1, words.size()));
  }
  return false;
}

std::string form_decoded(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return pipe::percent_decoded(spaced);
}

/// The value of `key` in a header such as `form-data; name="a"`; nothing when it is not there.
std::optional<std::string> parameter_of(std::string_view header, std::string_view key) {
  while (true) {
    const auto semicolon = header.find(';');
    if (semicolon == std::string_view::npos) return std::nullopt;
    header = trimmed(header.substr(semicolon + 1));
    const auto equals = header.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const bool is_key = lower_case(trimmed(header.substr(0, equals))) == key;
    auto value = trimmed(header.substr(equals + 1));
    if (value.starts_with('"')) {
      const auto end = value.find('"', 1);
      if (end == std::string_view::npos) return std::nullopt;
      if (is_key) return std::string(value.substr(1, end - 1));
      header = value.substr(end + 1);
    } else if (is_key) {
      return std::string(trimmed(value.substr(0, value.find(';'))));
    }
  }
}

/// One part of a multipart body, taken apart.
struct Part {
  std::optional<std::string> name;  // of a plain field; none for files
  std::string_view value;
};

Part read_part(std::string_view part) {
  const auto end = part.find("\r\n\r\n");
  if (end == std::string_view::npos) return {};
  Part result{.name = std::nullopt, .value = part.substr(end + 4)};
  auto head = part.substr(0, end);
  while (!head.empty()) {
    const auto line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(line.size() + 2, head.size()));
    const auto colon = line.find(':');
    if (lower_case(line.substr(0, colon)) != "content-disposition") continue;
    const auto what = line.substr(colon + 1);
    if (!parameter_of(what, "filename")) result.name = parameter_of(what, "name");
  }
  return result;
}

}  // namespace

void Parameters::set(std::string_view name, std::string_view value) {
  if (is_known(name)) {
    values_.insert_or_assign(std::string(name), cleaned(value));
  } else if (!name.empty() && !unknown_) {
    unknown_ = shown(name.substr(0, kShownBytesMax));
  }
}

const std::string* Parameters::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

std::optional<std::string> Parameters::other_than(std::string_view accepted) const {
  if (unknown_) return unknown_;
  for (const auto& [name, value] : values_) {
    if (!is_among(accepted, name)) return name;
  }
  return std::nullopt;
}

bool Parameters::add(std::string_view name, std::string_view value) {
  if (is_known(name) && !pipe::is_utf8(value)) return false;
  set(name, value);
  return true;
}

bool Parameters::add_form(std::string_view form) {
  while (!form.empty()) {
    const auto field = form.substr(0, form.find('&'));
    form.remove_prefix(std::min(field.size() + 1, form.size()));
    const auto equals = field.find('=');
    const auto value = equals == std::string_view::npos ? "" : field.substr(equals + 1);
    if (!add(form_decoded(field.substr(0, equals)), form_decoded(value))) return false;
  }
  return true;
}

bool Parameters::add_multipart(std::string_view content_type, std::string_view body) {
  const auto boundary = parameter_of(content_type, "boundary");
  if (!boundary || boundary->empty()) return true;
  const auto divider = "--" + *boundary;
  const auto last = body.rfind(divider + "--");
  if (last == std::string_view::npos) return true;
  body = body.substr(0, last);
  auto at = body.find(divider + "\r\n");
  while (at != std::string_view::npos) {
    const auto begin = at + divider.size() + 2;
    at = body.find("\r\n" + divider + "\r\n", begin);
    const bool final_part = at == std::string_view::npos;
    auto part = body.substr(begin, final_part ? at : at - begin);
    if (final_part && part.ends_with("\r\n")) part.remove_suffix(2);
    if (!final_part) at += 2;
    const auto field = read_part(part);
    if (field.name && !add(*field.name, field.value)) return false;
  }
  return true;
}

std::optional<Parameters> Parameters::read(std::string_view query, std::string_view content_type,
                                           std::string_view body) {
  Parameters parameters;
  if (!parameters.add_form(query)) return std::nullopt;
  const auto type = media_type(content_type);
  if (type == kFormType && !parameters.add_form(body)) return std::nullopt;
  if (type == kMultipartType && !parameters.add_multipart(content_type, body)) return std::nullopt;
  return parameters;
}

std::string media_type(std::string_view content_type) {
  return lower_case(trimmed(content_type.substr(0, content_type.find(';'))));
}

}  // namespace rp::handlers::linger
