#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "node/config.h"

/// The one table of settings. Flags, environment variables, TOML keys, the checks, the default file
/// and the help texts are all read from it.
namespace rp::node {

/// What kind of value a setting takes and which member of Config holds it.
namespace kind {
struct NodeName {
  std::string Config::*to;
};
struct Path {
  std::filesystem::path Config::*to;
  std::string_view value_name;  ///< "DIR" or "FILE"
};
struct IdentityFile {
  std::filesystem::path Config::*to;  ///< joined to the identity directory
};
struct Paths {
  std::vector<std::filesystem::path> Config::*to;
  std::string_view value_name;
  std::string_view accepted;
};
struct FilesMounts {
  std::vector<FilesMount> Config::*to;
};
struct ProxyMounts {
  std::vector<ProxyMount> Config::*to;
};
struct Address {
  HostPort Config::*to;
};
struct Addresses {
  std::vector<HostPort> Config::*to;
};
struct RestEndpoints {
  std::vector<rest::Endpoint> Config::*to;
};
struct OptionalAddress {
  std::optional<HostPort> Config::*to;  ///< an empty text means none
};
struct Words {
  std::vector<std::string> Config::*to;
  Parsed<std::string> (*parse)(std::string_view);
  std::string_view value_name;
  std::string_view accepted;
};
struct Duration {
  std::chrono::milliseconds Config::*to;
  std::chrono::milliseconds min;
  std::chrono::milliseconds max;
};
struct Bytes {
  std::size_t Config::*to;
  std::size_t min;
  std::size_t max;
};
struct Count {
  std::size_t Config::*to;
  std::size_t min;
  std::size_t max;
};
struct Switch {
  bool Config::*to;
};
struct Mode {
  unsigned Config::*to;
};
struct Level {
  LogLevel Config::*to;
};
struct Format {
  LogFormat Config::*to;
};
struct StaleCrl {
  certs::StaleCrl Config::*to;
};
}  // namespace kind

using Kind =
    std::variant<kind::NodeName, kind::Path, kind::IdentityFile, kind::Paths, kind::FilesMounts,
                 kind::ProxyMounts, kind::Address, kind::Addresses, kind::RestEndpoints,
                 kind::OptionalAddress, kind::Words, kind::Duration, kind::Bytes, kind::Count,
                 kind::Switch, kind::Mode, kind::Level, kind::Format, kind::StaleCrl>;

enum class Applies { both, server, client };

struct Setting {
  std::string_view key;             ///< the TOML key; a dot separates section and name
  Kind kind;                        ///< type, range and place in Config
  Applies applies;                  ///< which node has it
  bool reloadable;                  ///< SIGHUP applies a change to the running node
  std::string_view server_default;  ///< as it would be written; lists with commas
  std::string_view client_default;
  std::string_view group;  ///< heading in the help and in the default file
  std::string_view help;   ///< one sentence or phrase without a full stop
};

std::span<const Setting> all_settings() noexcept;

bool has(const Setting& setting, Role role) noexcept;
std::string_view default_text(const Setting& setting, Role role) noexcept;

/// "--log-level": the words of the key joined by dashes.
std::string flag_name(const Setting& setting);
/// "RESTPIPE_LOG_LEVEL".
std::string variable_name(const Setting& setting);

/// "SECONDS", "HOST:PORT", ...: the placeholder in help texts.
std::string_view value_name(const Setting& setting) noexcept;
/// What the setting accepts, for an error message.
std::string accepted_text(const Setting& setting);
/// Whether the setting takes several values.
bool is_list(const Setting& setting) noexcept;
/// Whether the setting is either true or false; its flag alone says true.
bool is_switch(const Setting& setting) noexcept;

/// A TOML value's own type; `text` also stands for flags and variables, which know no other.
enum class ValueType { text, integer, real, boolean, other };
/// Whether a TOML value of this type may stand for the setting.
bool takes(const Setting& setting, ValueType type) noexcept;

/// The setting whose key has these words, however they are joined: "log.level", "log_level" and
/// "log-level" are one. Null when there is none.
const Setting* find_setting(std::string_view key) noexcept;

/// The nearest existing key or variable for a misspelt one; empty when nothing is near.
std::string nearest_key(std::string_view misspelt);
std::string nearest_variable(std::string_view misspelt);

/// Parses `items` into the member of `config`. Relative paths start at `base`. Returns what is
/// wrong ("x" is not ..; accepted: ..), and then leaves `config` as it was.
std::optional<std::string> apply(const Setting& setting, const std::vector<std::string>& items,
                                 const std::filesystem::path& base, Config& config);

}  // namespace rp::node
