// Loads the example plugin whose path it is given and asks it for both of its methods: the second
// half of the test that builds the example outside the tree.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "handlers/dispatcher.h"
#include "handlers/plugin_set.h"
#include "tests/handlers/recording_sink.h"

namespace rp::handlers {
namespace {

bool answers(Dispatcher& dispatcher, const std::string& noun, const std::string& body) {
  const auto asked = ask(dispatcher, "get", noun);
  if (asked->wait_done() && asked->head().code == 0 && asked->body() == body) return true;
  std::fprintf(stderr, "GET %s: '%s' instead of '%s'\n", noun.c_str(), asked->body().c_str(),
               body.c_str());
  return false;
}

/// Takes the plugin into a folder that only this user can write: that of the build may be open.
std::string installed(const std::string& built) {
  auto pattern =
      (std::filesystem::canonical(std::filesystem::temp_directory_path()) / "rp-example-XXXXXX")
          .string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
  const auto to = std::filesystem::path(pattern) / "hello.so";
  std::filesystem::copy_file(built, to);
  std::filesystem::permissions(to, std::filesystem::perms(0755));
  return to.string();
}

bool run(const std::string& built) {
  const auto path = installed(built);
  Dispatcher dispatcher({.workers = 1});
  PluginSet plugins(Role::server, "example", dispatcher);
  plugins.load(path);
  const bool good = answers(dispatcher, "hello//world", "hello world") &&
                    answers(dispatcher, "sum//2/3", "{\"sum\": 5}");
  dispatcher.stop(kPatience);
  plugins.stop(kPatience);
  std::filesystem::remove_all(std::filesystem::path(path).parent_path());
  return good;
}

}  // namespace
}  // namespace rp::handlers

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: example_loader PLUGIN.so\n");
    return 2;
  }
  try {
    return rp::handlers::run(argv[1]) ? 0 : 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
