#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/handlers/plugins.h"

namespace rp::handlers {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class LoaderTest : public testing::Test {
 protected:
  /// The one line with which `path` is refused; "" when it is not.
  std::string refusal(const std::string& path) {
    try {
      plugins_.load(path);
    } catch (const PluginRefused& e) {
      const std::string line = e.what();
      EXPECT_EQ(line.find('\n'), std::string::npos) << line;
      EXPECT_TRUE(line.starts_with("plugin " + path + " refused: ")) << line;
      return line;
    }
    return "";
  }
  void expect_refused(const std::string& path, const std::string& rule) {
    const auto line = refusal(path);
    EXPECT_NE(line.find(rule), std::string::npos) << line;
    EXPECT_TRUE(dispatcher_.methods().empty()) << "nothing of a refused plugin stays";
  }

  PluginFolder folder_;
  Dispatcher dispatcher_{{.workers = 1}};
  PluginSet plugins_{Role::server, "n", dispatcher_};
};

TEST_F(LoaderTest, LoadsAFileAndRegistersItsMethods) {
  EXPECT_EQ(refusal(folder_.install("restpipe_demo")), "");
  EXPECT_EQ(plugins_.names(), std::vector<std::string>{"demo"});
  EXPECT_EQ(dispatcher_.methods(), (std::vector<std::string>{"get_cat", "get_time"}));
}

TEST_F(LoaderTest, LoadsAFolderInTheOrderOfNamesAndNothingElseInIt) {
  folder_.install("restpipe_demo", "b.so");
  folder_.install("hostile_plugin", "a.so");
  folder_.install("refused_abi", "old.so.disabled");
  std::ofstream(folder_.path() / "README") << "text";
  EXPECT_EQ(refusal(folder_.path()), "");
  EXPECT_EQ(plugins_.names(), (std::vector<std::string>{"hostile", "demo"}));
}

TEST_F(LoaderTest, KeepsPluginsApartThatAreLoadedOneAfterTheOther) {
  // Loaded by descriptor, the second must not be taken for the first.
  EXPECT_EQ(refusal(folder_.install("restpipe_demo")), "");
  EXPECT_EQ(refusal(folder_.install("parity_plugin")), "");
  EXPECT_EQ(refusal(folder_.install("hostile_plugin")), "");
  EXPECT_EQ(plugins_.names(), (std::vector<std::string>{"demo", "parity", "hostile"}));
}

TEST_F(LoaderTest, RefusesPathsThatAreNotAbsoluteOrClimb) {
  expect_refused("restpipe_demo.so", "the path must be absolute");
  expect_refused("", "the path must be absolute");
  expect_refused(folder_.path().string() + "/../x.so", "must not hold '..'");
}

TEST_F(LoaderTest, RefusesWhatIsNotThereOrIsNoFile) {
  expect_refused((folder_.path() / "none.so").string(), "none.so: No such file or directory");
  const auto fifo = (folder_.path() / "fifo.so").string();
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  expect_refused(fifo, "neither a regular file nor a directory");
  expect_refused(built_plugin("restpipe_demo") + "/x", "Not a directory");
}

TEST_F(LoaderTest, RefusesAnEmptyFolder) {
  expect_refused(folder_.path().string(), "holds no file that ends in .so");
}

TEST_F(LoaderTest, LoadsNothingOfAFolderThatHoldsAFolderNamedLikeALibrary) {
  folder_.install("restpipe_demo", "a.so");
  fs::create_directory(folder_.path() / "b.so");
  fs::permissions(folder_.path() / "b.so", fs::perms(0755));
  try {
    plugins_.load(folder_.path().string());
    ADD_FAILURE() << "it is not refused";
  } catch (const PluginRefused&) {
    EXPECT_TRUE(plugins_.names().empty());
  }
}

TEST_F(LoaderTest, RefusesAFileThatOthersMayWrite) {
  const auto group = folder_.install("restpipe_demo", "group.so", 0775);
  expect_refused(group, "group.so may be written by its group or others (mode 0775)");
  const auto others = folder_.install("restpipe_demo", "others.so", 0757);
  expect_refused(others, "(mode 0757)");
}

TEST_F(LoaderTest, RefusesAFolderOnTheWayThatOthersMayWrite) {
  const auto file = folder_.install("restpipe_demo", "sub/deep/demo.so");
  const auto sub = folder_.path() / "sub";
  fs::permissions(sub, fs::perms(0775));
  expect_refused(file, sub.string() + " may be written by its group or others (mode 0775)");
  fs::permissions(sub, fs::perms(0755));
  EXPECT_EQ(refusal(file), "");
}

TEST_F(LoaderTest, RefusesSymbolicLinksAnywhere) {
  const auto file = folder_.install("restpipe_demo", "real/demo.so");
  const auto link = (folder_.path() / "link.so").string();
  fs::create_symlink(file, link);
  expect_refused(link, "link.so is a symbolic link");
  fs::create_directory_symlink(folder_.path() / "real", folder_.path() / "way");
  expect_refused((folder_.path() / "way" / "demo.so").string(), "way is a symbolic link");
}

TEST_F(LoaderTest, RefusesFilesAndFoldersOfAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "not available: only root can give files away";
  const auto file = folder_.install("restpipe_demo", "theirs.so");
  ASSERT_EQ(chown(file.c_str(), 65534, 0), 0);
  expect_refused(file, "theirs.so belongs to uid 65534");
  const auto inside = folder_.install("restpipe_demo", "folder/demo.so");
  ASSERT_EQ(chown((folder_.path() / "folder").c_str(), 65534, 0), 0);
  expect_refused(inside, "folder belongs to uid 65534");
}

TEST_F(LoaderTest, RefusesWhatIsNoPluginOrOfAnotherVersion) {
  std::ofstream(folder_.path() / "text.so") << "no library";
  const auto text = (folder_.path() / "text.so").string();
  fs::permissions(text, fs::perms(0755));
  const auto line = refusal(text);
  EXPECT_NE(line.find("it does not load: "), std::string::npos) << line;
  EXPECT_EQ(line.find("/proc/self/fd"), std::string::npos) << line;
  expect_refused(folder_.install("no_plugin"), "exports no restpipe_plugin_abi");
  expect_refused(folder_.install("refused_abi"),
                 "built for ABI version 7, this node has version 1");
  expect_refused(folder_.install("refused_no_init"), "exports no restpipe_plugin_init");
  expect_refused(folder_.install("refused_unresolved"), "function_that_nobody_defines");
}

TEST_F(LoaderTest, RefusesAPluginWhoseInitFailsAndSaysWhy) {
  expect_refused(folder_.install("refused_constructor"), "no database");
  expect_refused(folder_.install("refused_verb"), "verb 'fetch' is not one of");
  expect_refused(folder_.install("refused_init_throws"), "its init threw an exception");
}

TEST_F(LoaderTest, RefusesASecondPluginWithTheSameMethod) {
  EXPECT_EQ(refusal(folder_.install("restpipe_demo", "a.so")), "");
  const auto line = refusal(folder_.install("restpipe_demo", "b.so"));
  EXPECT_NE(line.find("method 'get_time' belongs to another plugin already"), std::string::npos)
      << line;
  EXPECT_EQ(plugins_.names().size(), 1u);
}

/// A linked-in plugin that tells when it is shut down, and can hang in a callback.
struct Watched {
  static inline std::atomic<int> shut_down = 0;
  static inline std::atomic<bool> hangs = false;
  static inline std::atomic<bool> may_leave = false;
  static inline std::atomic<bool> left = false;

  static void reset() {
    shut_down = 0;
    hangs = may_leave = left = false;
  }
  static restpipe_status init(const restpipe_host*, restpipe_plugin* plugin) {
    plugin->shutdown = [](void*) { ++shut_down; };
    plugin->idle = [](void*, double, double) {
      hangs = true;
      while (!may_leave) std::this_thread::yield();
      left = true;
    };
    return RESTPIPE_OK;
  }
};

TEST(PluginSetTest, ShutsPluginsDownOnceAndOnlyWhenNoneIsStuck) {
  Watched::reset();
  Dispatcher dispatcher({.workers = 1});
  {
    PluginSet plugins(Role::server, "n", dispatcher);
    plugins.load_builtin("watched", &Watched::init);
    plugins.stop(kPatience);
    plugins.stop(kPatience);
  }
  EXPECT_EQ(Watched::shut_down, 1);
  {
    PluginSet plugins(Role::server, "n", dispatcher);
    plugins.load_builtin("watched", &Watched::init);
    plugins.idle({}, 0s);
    while (!Watched::hangs) std::this_thread::yield();
    plugins.stop(1ms);
  }
  EXPECT_EQ(Watched::shut_down, 1) << "its code is still running";
  Watched::may_leave = true;
  while (!Watched::left) std::this_thread::yield();
  {
    PluginSet plugins(Role::server, "n", dispatcher);
    plugins.load_builtin("watched", &Watched::init);
    plugins.stop(kPatience, /*handlers_stuck=*/true);
  }
  EXPECT_EQ(Watched::shut_down, 1);
}

}  // namespace
}  // namespace rp::handlers
