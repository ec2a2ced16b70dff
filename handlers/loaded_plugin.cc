#include "handlers/loaded_plugin.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include <dlfcn.h>

#include "handlers/exception_object.h"
#include "handlers/plugin_call.h"
#include "pipe/log.h"

namespace rp::handlers {
namespace {

constexpr std::uint32_t kAllFlags =
    RESTPIPE_IDEMPOTENT | RESTPIPE_BLOCKING | RESTPIPE_STREAMING | RESTPIPE_BODY_STREAM;
constexpr std::size_t kMethodBytesMin = offsetof(restpipe_method, method_data) + sizeof(void*);

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw PluginRefused("plugin " + path + " refused: " + why);
}

/// The loader's last complaint, about `path` instead of the name that it was given.
std::string loader_error(const std::string& loaded_as, const std::string& path) {
  const char* const text = dlerror();
  std::string error = text != nullptr ? text : "unknown error of the dynamic loader";
  for (auto at = error.find(loaded_as); at != std::string::npos;
       at = error.find(loaded_as, at + path.size())) {
    error.replace(at, loaded_as.size(), path);
  }
  return error;
}

LogLevel to_level(std::uint32_t level) noexcept {
  return static_cast<LogLevel>(std::min<std::uint32_t>(level, RESTPIPE_LOG_ERROR));
}

}  // namespace

Library::Library(TrustedFile file, const std::string& path) : fd_(std::move(file.fd)) {
  const auto name = "/proc/self/fd/" + std::to_string(fd_.get());
  handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr) refuse(path, "it does not load: " + loader_error(name, path));
}

Library::~Library() {
  if (handle_ != nullptr) dlclose(handle_);
}

restpipe_plugin_init_fn Library::entry(const std::string& path) const {
  const auto* const abi =
      static_cast<const std::uint32_t*>(dlsym(handle_, RESTPIPE_PLUGIN_ABI_SYMBOL));
  if (abi == nullptr) {
    refuse(path, "it is no RestPipe plugin: it exports no " RESTPIPE_PLUGIN_ABI_SYMBOL);
  }
  if (*abi != RESTPIPE_ABI_VERSION) {
    refuse(path, "it was built for ABI version " + std::to_string(*abi) +
                     ", this node has version " + std::to_string(RESTPIPE_ABI_VERSION));
  }
  auto* const init = dlsym(handle_, RESTPIPE_PLUGIN_INIT_SYMBOL);
  if (init == nullptr) refuse(path, "it exports no " RESTPIPE_PLUGIN_INIT_SYMBOL);
  return reinterpret_cast<restpipe_plugin_init_fn>(init);
}

LoadedPlugin::LoadedPlugin(Role role, std::string node_name, std::unique_ptr<Library> library)
    : library_(std::move(library)), node_name_(std::move(node_name)) {
  host_.size = sizeof(restpipe_host);
  host_.abi_version = RESTPIPE_ABI_VERSION;
  host_.role = static_cast<std::uint32_t>(role);
  host_.node_name = to_text(node_name_);
  host_.plugin = this;
  host_.register_method = [](const restpipe_host* host, const restpipe_method* method) {
    return of(host).register_method(method);
  };
  host_.set_error = [](const restpipe_host* host, restpipe_text reason) {
    auto& plugin = of(host);
    // What the host itself found wrong with a method says more than that it was refused.
    if (plugin.initialising_ && plugin.error_.empty()) plugin.error_ = to_view(reason);
  };
  host_.log = [](const restpipe_host* host, std::uint32_t level, restpipe_text message) {
    log(to_level(level), "plugin", "message",
        {{"plugin", of(host).name_}, {"text", std::string(to_view(message))}});
  };
  set_call_functions(host_);
}

void LoadedPlugin::init(restpipe_plugin_init_fn run, const std::string& path,
                        Dispatcher& dispatcher) {
  name_ = path;
  taken_ = dispatcher.methods();
  plugin_.size = sizeof(plugin_);
  initialising_ = true;
  restpipe_status status = RESTPIPE_INVALID;
  try {
    status = run(&host_, &plugin_);
  } catch (...) {
    error_ = "its init threw an exception";
  }
  initialising_ = false;
  if (status != RESTPIPE_OK) {
    refuse(path, error_.empty() ? "its init failed with " + std::to_string(status) : error_);
  }
  if (plugin_.name != nullptr) name_ = plugin_.name;
  for (const auto& registration : registrations_) {
    dispatcher.add(
        registration.verb, registration.noun, registration.flags,
        [self = shared_from_this(), registration](const Invocation&, Responder& responder) {
          self->invoke(registration, responder);
        });
  }
  registrations_.clear();
}

restpipe_status LoadedPlugin::register_method(const restpipe_method* method) noexcept {
  try {
    if (!initialising_ || method == nullptr || method->size < kMethodBytesMin) {
      return RESTPIPE_INVALID;
    }
    register_checked(*method);
    return RESTPIPE_OK;
  } catch (const std::exception& e) {
    error_ = e.what();
    return RESTPIPE_INVALID;
  }
}

void LoadedPlugin::register_checked(const restpipe_method& method) {
  const auto verb = std::string(to_view(method.verb));
  const auto noun = std::string(to_view(method.noun));
  if ((method.flags & ~kAllFlags) != 0 || method.invoke == nullptr) {
    throw std::invalid_argument("method '" + verb + "_" + noun +
                                "' has unknown flags or no invoke function");
  }
  const auto flags = static_cast<Flags>(method.flags);
  checked_.add(verb, noun, flags, [](const Invocation&, Responder&) {});
  for (const auto& name : checked_.names()) {
    if (std::binary_search(taken_.begin(), taken_.end(), name)) {
      throw std::invalid_argument("method '" + name + "' belongs to another plugin already");
    }
  }
  registrations_.push_back({verb, noun, flags, method.invoke, method.method_data});
}

void LoadedPlugin::invoke(const Registration& registration, Responder& responder) const {
  auto* const call = new restpipe_call(std::move(responder));
  call->retain();  // ours, for after an exception
  try {
    registration.invoke(plugin_.self, registration.method_data, call, &call->invocation);
  } catch (...) {
    // The contract forbids it, but a plugin's bug is not the node's end. The plugin's own reference
    // is given back for it if nobody has touched the count since.
    const auto& asked = call->responder.invocation();
    call->responder.raise(describe(std::current_exception(), asked.method, asked.event.request_id));
    if (call->references.load() == 2) call->release();
  }
  call->release();
}

void LoadedPlugin::log_failure(const char* which) const noexcept {
  log(LogLevel::error, "plugin", "a callback threw an exception",
      {{"plugin", name_}, {"callback", which}});
}

}  // namespace rp::handlers
