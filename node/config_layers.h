#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "node/config.h"
#include "node/config_schema.h"

/// Where settings are read from. Each reader turns one place into values of known settings and
/// lists what it could not understand; none of them knows about precedence.
namespace rp::node {

/// Where in a file; zeros outside of one.
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  friend auto operator<=>(const Position&, const Position&) = default;
};

/// One setting as one place gives it.
struct Given {
  const Setting* setting;  ///< never null
  std::vector<std::string> items;
  std::string origin;  ///< "--listen", "RESTPIPE_LISTEN", "node.toml:3:1"
  Position position = {};
};

/// Something wrong, as a whole line for the user; any of them stops the start.
struct Problem {
  std::string line;
  Position position = {};
};

/// What one place holds.
struct LayerValues {
  std::vector<Given> values;
  std::vector<Problem> problems;
  std::vector<std::string> warnings;
};

/// The flags as the command line had them; each key is one of the schema's.
LayerValues read_flags(const Sources& sources);

/// RESTPIPE_* variables. An empty one counts as absent where the setting cannot be empty. Settings
/// of the other role are left alone, since one environment may serve both nodes; unknown names are
/// warnings, since the environment belongs to other programs as well.
LayerValues read_environment(Role role, const Sources& sources);

/// The variables of the Python reference, docs/configuration.md section "Variables of RestPipe
/// 0.2".
LayerValues read_reference_environment(Role role, const Sources& sources);

/// The file that the sources name, if any: --config, RESTPIPE_CONFIG, or the reference's
/// RP_SERVER_USER_CONFIG_MODULE / RP_CLIENT_USER_CONFIG_MODULE. A value of these that cannot be a
/// TOML file becomes a problem.
struct NamedFile {
  std::optional<std::filesystem::path> path;
  std::string origin;
  std::vector<Problem> problems;
};
NamedFile config_file(Role role, const Sources& sources);

/// A TOML file of at most kConfigFileBytesMax. Unknown keys, keys of the other role, keys given
/// twice and values of a wrong type are problems that name line and column.
constexpr std::size_t kConfigFileBytesMax = 1024 * 1024;
LayerValues read_file(Role role, const std::filesystem::path& path, const std::string& named_by);

/// The same for text at hand; `name` stands for the file in messages.
LayerValues read_toml(Role role, std::string_view text, const std::string& name);

}  // namespace rp::node
