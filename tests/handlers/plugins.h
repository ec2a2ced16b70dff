#pragma once

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "handlers/dispatcher.h"
#include "handlers/plugin_set.h"
#include "tests/handlers/recording_sink.h"

namespace rp::handlers {

/// The file of a plugin that the build made.
inline const std::string& built_plugin(const std::string& name) {
  static const std::map<std::string, std::string> paths = {
#include <plugin_paths.inc>
  };
  return paths.at(name);
}

/// A folder of our own with safe permissions, removed at the end.
class PluginFolder final {
 public:
  PluginFolder() {
    auto pattern = (std::filesystem::canonical(testing::TempDir()) / "rp-plugins-XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
    std::filesystem::permissions(path_, std::filesystem::perms(0755));
  }
  ~PluginFolder() { std::filesystem::remove_all(path_); }
  PluginFolder(const PluginFolder&) = delete;
  PluginFolder& operator=(const PluginFolder&) = delete;

  /// Copies a built plugin here, as `file` in `mode`; returns where.
  std::string install(const std::string& plugin, const std::string& file, unsigned mode = 0755) {
    const auto to = path_ / file;
    std::filesystem::create_directories(to.parent_path());
    std::filesystem::copy_file(built_plugin(plugin), to);
    std::filesystem::permissions(to, std::filesystem::perms(mode));
    return to.string();
  }
  std::string install(const std::string& plugin) { return install(plugin, plugin + ".so"); }

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A dispatcher with one plugin behind it.
class PluginFixture : public testing::Test {
 protected:
  void load(const std::string& plugin, Role role = Role::server) {
    plugins_ = std::make_unique<PluginSet>(role, "node-7", dispatcher_);
    plugins_->load(folder_.install(plugin));
  }
  void TearDown() override {
    EXPECT_EQ(dispatcher_.stop(kPatience), 0u);
    if (plugins_) plugins_->stop(kPatience);
  }

  Asked get(const std::string& noun) { return done(ask(dispatcher_, "get", noun)); }
  Asked send(std::string verb, std::string noun, std::string type, std::string body) {
    auto event = make_event(std::move(verb), std::move(noun));
    event.content_type = std::move(type);
    return done(ask(dispatcher_, std::move(event), std::move(body)));
  }

  PluginFolder folder_;
  Dispatcher dispatcher_{{.workers = 2}};
  std::unique_ptr<PluginSet> plugins_;

 private:
  static Asked done(Asked asked) {
    EXPECT_TRUE(asked->wait_done());
    return asked;
  }
};

/// The class of an exception object.
inline std::string exception_class(const Asked& asked) {
  EXPECT_EQ(asked->head().code, 251u) << asked->body();
  EXPECT_EQ(asked->head().content_type, "application/json");
  const auto body = asked->body();
  constexpr std::string_view key = "\"class\": \"";
  const auto at = body.find(key);
  if (at == std::string::npos) return "no class in " + body;
  const auto begin = at + key.size();
  return body.substr(begin, body.find('"', begin) - begin);
}

}  // namespace rp::handlers
