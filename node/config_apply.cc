// The half of config_schema.h that turns texts into values; the table is in config_schema.cc.

#include <set>
#include <type_traits>
#include <utility>

#include "node/config_schema.h"
#include "node/config_values.h"

namespace rp::node {
namespace {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

using Refused = std::optional<std::string>;
using Items = std::vector<std::string>;

std::string in_quotes(std::string_view text) {
  const std::string escaped = log_escaped(text);
  return escaped.starts_with('"') ? escaped : '"' + escaped + '"';
}

/// One parser over all items of a list.
template <class T, class Parse>
Refused assign_list(std::vector<T>& to, const Items& items, Parse parse) {
  std::vector<T> values;
  for (const std::string& item : items) {
    auto value = parse(item);
    if (!value) return in_quotes(item) + ' ' + value.error().why;
    values.push_back(std::move(*value));
  }
  to = std::move(values);
  return std::nullopt;
}

/// One parser over the only item.
template <class T, class Parse>
Refused assign_one(T& to, const Items& items, Parse parse) {
  if (items.size() != 1) return std::string("takes exactly one value");
  auto value = parse(items.front());
  if (!value) return in_quotes(items.front()) + ' ' + value.error().why;
  to = std::move(*value);
  return std::nullopt;
}

/// A number parser that also keeps to a range.
template <class T, class Parse>
auto within(T min, T max, Parse parse) {
  return [=](const std::string& text) -> Parsed<T> {
    const auto value = parse(text);
    if (!value) return value.error();
    if (std::cmp_less(*value, min) || std::cmp_greater(*value, max)) {
      return Refusal::because("is out of range");
    }
    return static_cast<T>(*value);
  };
}

Parsed<std::filesystem::path> parse_path(const std::string& text,
                                         const std::filesystem::path& base) {
  if (text.find('\0') != text.npos) return Refusal::because("holds a NUL byte");
  if (text.empty()) return std::filesystem::path();
  return (base / text).lexically_normal();
}

/// "NOUN=WHAT" taken apart.
struct Mounted {
  std::string noun;
  std::string what;
};

Parsed<Mounted> parse_mounted(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == text.npos) return Refusal::because("holds no '='");
  if (text.find('\0') != text.npos) return Refusal::because("holds a NUL byte");
  auto noun = parse_noun(text.substr(0, equals));
  if (!noun) return noun.error();
  return Mounted{std::move(*noun), text.substr(equals + 1)};
}

/// One parser over what is behind the nouns, of which none comes twice.
template <class T, class Parse>
Refused assign_mounts(std::vector<T>& to, const Items& items, Parse parse) {
  std::set<std::string> nouns;
  return assign_list(to, items, [&](const std::string& text) -> Parsed<T> {
    const auto mounted = parse_mounted(text);
    if (!mounted) return mounted.error();
    if (!nouns.insert(mounted->noun).second) return Refusal::because("repeats a noun");
    return parse(*mounted);
  });
}

/// What went wrong while `kind` took `items`; the accepted values are added by apply().
Refused assign(const Kind& kind, const Items& items, const std::filesystem::path& base,
               Config& config) {
  return std::visit(
      Overloaded{
          [&](const kind::NodeName& k) -> Refused {
            if (items.size() == 1 && items.front().empty()) {
              (config.*k.to).clear();
              return std::nullopt;
            }
            return assign_one(config.*k.to, items, parse_node_name);
          },
          [&](const kind::Path& k) {
            return assign_one(config.*k.to, items,
                              [&](const std::string& t) { return parse_path(t, base); });
          },
          [&](const kind::IdentityFile& k) {
            return assign_one(config.*k.to, items,
                              [](const std::string& t) -> Parsed<std::filesystem::path> {
                                if (t.empty() || t.find('\0') != t.npos)
                                  return Refusal::because("is not a file name");
                                return std::filesystem::path(t);
                              });
          },
          [&](const kind::Paths& k) {
            return assign_list(config.*k.to, items,
                               [&](const std::string& t) -> Parsed<std::filesystem::path> {
                                 if (t.empty()) return Refusal::because("is not a path");
                                 return parse_path(t, base);
                               });
          },
          [&](const kind::FilesMounts& k) -> Refused {
            return assign_mounts(config.*k.to, items, [&](const Mounted& m) -> Parsed<FilesMount> {
              if (m.what.empty()) return Refusal::because("names no directory");
              return FilesMount{m.noun, (base / m.what).lexically_normal()};
            });
          },
          [&](const kind::ProxyMounts& k) -> Refused {
            return assign_mounts(config.*k.to, items, [](const Mounted& m) -> Parsed<ProxyMount> {
              const auto address = handlers::parse_proxy_address(m.what);
              if (!address) return Refusal::because("names no address of an HTTP application");
              return ProxyMount{m.noun, *address};
            });
          },
          [&](const kind::Address& k) { return assign_one(config.*k.to, items, parse_host_port); },
          [&](const kind::Addresses& k) -> Refused {
            if (items.empty()) return std::string("is an empty list");
            return assign_list(config.*k.to, items, [](const std::string& t) -> Parsed<HostPort> {
              auto address = parse_host_port(t);
              if (address && address->port == 0) {
                return Refusal::because("names no port to dial");
              }
              return address;
            });
          },
          [&](const kind::RestEndpoints& k) -> Refused {
            if (items.empty()) return std::string("is an empty list");
            return assign_list(config.*k.to, items, parse_rest_endpoint);
          },
          [&](const kind::OptionalAddress& k) -> Refused {
            if (items.empty() || (items.size() == 1 && items.front().empty())) {
              (config.*k.to).reset();
              return std::nullopt;
            }
            HostPort address;
            auto problem = assign_one(address, items, parse_host_port);
            if (!problem) config.*k.to = std::move(address);
            return problem;
          },
          [&](const kind::Words& k) { return assign_list(config.*k.to, items, k.parse); },
          [&](const kind::Duration& k) -> Refused {
            std::int64_t ms = 0;
            auto problem =
                assign_one(ms, items,
                           within<std::int64_t>(k.min.count(), k.max.count(),
                                                [](const std::string& t) -> Parsed<std::int64_t> {
                                                  auto value = parse_duration(t);
                                                  if (!value) return value.error();
                                                  return value->count();
                                                }));
            if (!problem) config.*k.to = std::chrono::milliseconds(ms);
            return problem;
          },
          [&](const kind::Bytes& k) {
            return assign_one(config.*k.to, items, within(k.min, k.max, parse_bytes));
          },
          [&](const kind::Count& k) {
            return assign_one(config.*k.to, items, within(k.min, k.max, parse_count));
          },
          [&](const kind::Switch& k) { return assign_one(config.*k.to, items, parse_switch); },
          [&](const kind::Mode& k) { return assign_one(config.*k.to, items, parse_mode); },
          [&](const kind::Level& k) { return assign_one(config.*k.to, items, parse_log_level); },
          [&](const kind::Format& k) { return assign_one(config.*k.to, items, parse_log_format); },
          [&](const kind::StaleCrl& k) { return assign_one(config.*k.to, items, parse_stale_crl); },
      },
      kind);
}

std::string bytes_text(std::size_t bytes) {
  constexpr std::size_t kKiB = 1'024;
  constexpr std::size_t kMiB = kKiB * kKiB;
  constexpr std::size_t kGiB = kMiB * kKiB;
  if (bytes % kGiB == 0) return std::to_string(bytes / kGiB) + "GiB";
  if (bytes % kMiB == 0) return std::to_string(bytes / kMiB) + "MiB";
  if (bytes % kKiB == 0) return std::to_string(bytes / kKiB) + "KiB";
  return std::to_string(bytes);
}

}  // namespace

std::string_view value_name(const Setting& setting) noexcept {
  return std::visit(
      Overloaded{
          [](const kind::NodeName&) -> std::string_view { return "NAME"; },
          [](const kind::Path& k) { return k.value_name; },
          [](const kind::IdentityFile&) -> std::string_view { return "FILE"; },
          [](const kind::Paths& k) { return k.value_name; },
          [](const kind::FilesMounts&) -> std::string_view { return "NOUN=DIR"; },
          [](const kind::ProxyMounts&) -> std::string_view { return "NOUN=ADDRESS"; },
          [](const kind::Address&) -> std::string_view { return "HOST:PORT"; },
          [](const kind::Addresses&) -> std::string_view { return "HOST:PORT[,HOST:PORT..]"; },
          [](const kind::RestEndpoints&) -> std::string_view { return "HOST:PORT|unix:PATH"; },
          [](const kind::OptionalAddress&) -> std::string_view { return "HOST:PORT"; },
          [](const kind::Words& k) { return k.value_name; },
          [](const kind::Duration&) -> std::string_view { return "SECONDS"; },
          [](const kind::Bytes&) -> std::string_view { return "BYTES"; },
          [](const kind::Count&) -> std::string_view { return "N"; },
          [](const kind::Switch&) -> std::string_view { return "true|false"; },
          [](const kind::Mode&) -> std::string_view { return "MODE"; },
          [](const kind::Level&) -> std::string_view { return "debug|info|warning|error"; },
          [](const kind::Format&) -> std::string_view { return "text|json"; },
          [](const kind::StaleCrl&) -> std::string_view { return "refuse|accept"; },
      },
      setting.kind);
}

std::string accepted_text(const Setting& setting) {
  return std::visit(
      Overloaded{
          [](const kind::NodeName&) -> std::string {
            return "1 to 253 letters, digits, '_', '.' or '-'";
          },
          [](const kind::Path&) -> std::string { return "a path"; },
          [](const kind::IdentityFile&) -> std::string {
            return "a file name in the identity directory, or an absolute path";
          },
          [](const kind::Paths& k) { return std::string(k.accepted); },
          [](const kind::FilesMounts&) -> std::string { return "NOUN=DIRECTORY, each noun once"; },
          [](const kind::ProxyMounts&) -> std::string {
            return "NOUN=http://HOST:PORT or NOUN=unix:/PATH, each noun once";
          },
          [](const kind::Address&) -> std::string {
            return "HOST:PORT, with an IPv6 address in brackets";
          },
          [](const kind::Addresses&) -> std::string {
            return "one or more HOST:PORT, with an IPv6 address in brackets";
          },
          [](const kind::RestEndpoints&) -> std::string {
            return "one or more HOST:PORT or unix:/PATH";
          },
          [](const kind::OptionalAddress&) -> std::string {
            return "HOST:PORT, or an empty text for off";
          },
          [](const kind::Words& k) { return std::string(k.accepted); },
          [](const kind::Duration& k) {
            return "seconds such as 5 or 0.5, or 500ms, 2m, 1h; from " + duration_text(k.min) +
                   " to " + duration_text(k.max);
          },
          [](const kind::Bytes& k) {
            return "bytes such as 65536, 64KiB or 1MiB; from " + bytes_text(k.min) + " to " +
                   bytes_text(k.max);
          },
          [](const kind::Count& k) {
            return "a whole number from " + std::to_string(k.min) + " to " + std::to_string(k.max);
          },
          [](const kind::Switch&) -> std::string { return "true or false"; },
          [](const kind::Mode&) -> std::string { return "octal permission bits such as 0660"; },
          [](const kind::Level&) -> std::string { return "debug, info, warning or error"; },
          [](const kind::Format&) -> std::string { return "text or json"; },
          [](const kind::StaleCrl&) -> std::string { return "refuse or accept"; },
      },
      setting.kind);
}

bool is_list(const Setting& setting) noexcept {
  return std::holds_alternative<kind::Paths>(setting.kind) ||
         std::holds_alternative<kind::FilesMounts>(setting.kind) ||
         std::holds_alternative<kind::ProxyMounts>(setting.kind) ||
         std::holds_alternative<kind::Addresses>(setting.kind) ||
         std::holds_alternative<kind::RestEndpoints>(setting.kind) ||
         std::holds_alternative<kind::Words>(setting.kind);
}

bool is_switch(const Setting& setting) noexcept {
  return std::holds_alternative<kind::Switch>(setting.kind);
}

bool takes(const Setting& setting, ValueType type) noexcept {
  const bool duration = std::holds_alternative<kind::Duration>(setting.kind);
  switch (type) {
    case ValueType::text:
      return !std::holds_alternative<kind::Count>(setting.kind) && !is_switch(setting);
    case ValueType::integer:
      return duration || std::holds_alternative<kind::Count>(setting.kind) ||
             std::holds_alternative<kind::Bytes>(setting.kind);
    case ValueType::real:
      return duration;
    case ValueType::boolean:
      return is_switch(setting);
    case ValueType::other:
      break;
  }
  return false;
}

std::optional<std::string> apply(const Setting& setting, const std::vector<std::string>& items,
                                 const std::filesystem::path& base, Config& config) {
  auto problem = assign(setting.kind, items, base, config);
  if (problem) *problem += "; accepted: " + accepted_text(setting);
  return problem;
}

}  // namespace rp::node
