#pragma once

#include <memory>
#include <string>
#include <vector>

#include "handlers/dispatcher.h"
#include "handlers/method_table.h"
#include "handlers/plugin.h"
#include "handlers/plugin_set.h"
#include "handlers/trusted_file.h"

namespace rp::handlers {

/// An open shared library. Unloaded when destroyed.
class Library final {
 public:
  /// Loads what `file` has open; `path` is for messages. Throws PluginRefused.
  Library(TrustedFile file, const std::string& path);
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library();

  /// Checks the ABI version and finds the entry. Throws PluginRefused.
  restpipe_plugin_init_fn entry(const std::string& path) const;

 private:
  // Stays open: the loader knows the library by the name /proc/self/fd/N, and would hand it out
  // again for another file that got the same N.
  const FileDescriptor fd_;
  void* handle_ = nullptr;
};

/// One plugin between its init and its shutdown, with the host that it talks to. Shared by the
/// handlers made from its methods, so that the code is there as long as any of them.
class LoadedPlugin final : public std::enable_shared_from_this<LoadedPlugin> {
 public:
  /// `library` is null for a plugin that is linked into the program.
  LoadedPlugin(Role role, std::string node_name, std::unique_ptr<Library> library);
  LoadedPlugin(const LoadedPlugin&) = delete;
  LoadedPlugin& operator=(const LoadedPlugin&) = delete;

  /// Runs init and hands the plugin's methods to `dispatcher`, all or none. Throws PluginRefused.
  void init(restpipe_plugin_init_fn run, const std::string& path, Dispatcher& dispatcher);

  const std::string& name() const noexcept { return name_; }
  const restpipe_plugin& functions() const noexcept { return plugin_; }

  /// Calls one of functions(); what it throws against the contract is logged.
  template <class... Params, class... Args>
  void tell(const char* which, void (*function)(void*, Params...), Args... args) noexcept;

 private:
  struct Registration {
    std::string verb;
    std::string noun;
    Flags flags;
    restpipe_invoke_fn invoke;
    void* method_data;
  };
  struct Host : restpipe_host {
    LoadedPlugin* plugin = nullptr;
  };

  static LoadedPlugin& of(const restpipe_host* host) noexcept {
    return *static_cast<const Host*>(host)->plugin;
  }
  restpipe_status register_method(const restpipe_method* method) noexcept;
  void register_checked(const restpipe_method& method);
  void invoke(const Registration& registration, Responder& responder) const;
  void log_failure(const char* which) const noexcept;

  // First, so that it goes last: everything below was made by its code.
  const std::unique_ptr<Library> library_;
  const std::string node_name_;
  std::string name_;  // the path, until init has told the name
  Host host_{};
  restpipe_plugin plugin_{};

  // While init runs.
  bool initialising_ = false;
  std::vector<std::string> taken_;  // methods of the plugins before
  MethodTable checked_;             // applies the rules of names to ours
  std::vector<Registration> registrations_;
  std::string error_;
};

template <class... Params, class... Args>
void LoadedPlugin::tell(const char* which, void (*function)(void*, Params...),
                        Args... args) noexcept {
  if (function == nullptr) return;
  try {
    function(plugin_.self, args...);
  } catch (...) {
    log_failure(which);
  }
}

}  // namespace rp::handlers
