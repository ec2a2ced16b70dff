#include "node/config_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/config_layers.h"
#include "tests/node/temporary_directory.h"

namespace rp::node {
namespace {

using testing::HasSubstr;

Config load(Role role, const std::filesystem::path& file) {
  Sources sources;
  sources.file = file;
  return load_config(role, sources);
}

/// The default file with the # taken away from each setting.
std::string switched_on(const std::string& text) {
  std::string out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const bool setting = line.starts_with("# ") && line.find(" = ") != line.npos;
    out += (setting ? line.substr(2) : line) + '\n';
  }
  return out;
}

std::vector<std::vector<std::string>> items(const Config& config) {
  std::vector<std::vector<std::string>> out;
  for (const Effective& value : config.values) out.push_back(value.items);
  return out;
}

TEST(ConfigTextTest, TheDefaultFileSetsNothingUntilItIsEdited) {
  for (const Role role : {Role::server, Role::client}) {
    const LayerValues layer = read_toml(role, default_file(role), "d.toml");
    EXPECT_TRUE(layer.problems.empty());
    EXPECT_TRUE(layer.values.empty());
  }
}

TEST(ConfigTextTest, TheDefaultFileShowsEachDefaultOfTheRole) {
  const TemporaryDirectory directory;
  for (const Role role : {Role::server, Role::client}) {
    const Config defaults = load_config(role, {});
    const Config read = load(role, directory.write("d.toml", switched_on(default_file(role))));
    EXPECT_EQ(items(read), items(defaults));
    for (const Effective& value : read.values) EXPECT_EQ(value.layer, Layer::file) << value.key;
  }
}

TEST(ConfigTextTest, EffectiveSettingsReadBackAndNameTheirOrigin) {
  const TemporaryDirectory directory;
  Sources sources;
  sources.flags["rest"] = {"unix:/run/a\"b.sock", "127.0.0.1:0"};
  sources.environment["RESTPIPE_LOG_LEVEL"] = "debug";
  const Config config = load_config(Role::client, sources);
  const std::string text = effective_text(config);
  EXPECT_THAT(text, HasSubstr("level = \"debug\"  # RESTPIPE_LOG_LEVEL\n"));
  EXPECT_THAT(text, HasSubstr("  # --rest\n"));
  EXPECT_THAT(text, HasSubstr("server = [\"localhost:1234\"]  # default\n"));
  EXPECT_EQ(items(load(Role::client, directory.write("e.toml", text))), items(config));
}

}  // namespace
}  // namespace rp::node
