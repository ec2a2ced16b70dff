#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/config_schema.h"

namespace rp::node {
namespace {

using testing::HasSubstr;

TEST(DocumentationTest, NamesEverySettingWithItsMeaning) {
  std::ifstream in(RP_SOURCE_DIR "/docs/configuration.md");
  const std::string text(std::istreambuf_iterator<char>(in), {});
  for (const Setting& setting : all_settings()) {
    const std::string row = "\n| `" + std::string(setting.key) + "` | ";
    ASSERT_THAT(text, HasSubstr(row));
    const auto start = text.find(row) + 1;
    const std::string line = text.substr(start, text.find('\n', start) - start);
    // The sentence begins with a capital there.
    EXPECT_THAT(line, HasSubstr(std::string(setting.help.substr(1)))) << setting.key;
    for (const Role role : {Role::server, Role::client}) {
      if (!has(setting, role) || setting.key == "forward_header") continue;
      EXPECT_THAT(line, HasSubstr(std::string(default_text(setting, role)))) << setting.key;
    }
  }
}

}  // namespace
}  // namespace rp::node
