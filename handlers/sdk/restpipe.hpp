#pragma once

/// The C++ SDK for RestPipe plugins, over the C contract in plugin.h. A whole plugin:
///
///     #include <restpipe/sdk/restpipe.hpp>
///
///     class Greeter {
///      public:
///       std::string get_hello(const std::string& name) { return "hello " + name; }
///       static void methods(rp::Methods<Greeter>& m) { m.add("get_hello", &Greeter::get_hello); }
///     };
///     RESTPIPE_PLUGIN(Greeter, "greeter", "1.0")
///
/// Methods run on many threads at once. One that waits or computes for long is registered with
/// rp::blocking. The class is made once, with `rp::Host` if its constructor wants it, and may have
/// any of these, which run one at a time on a thread of their own:
///
///     void start_hook(const rp::Peer&);  void stop_hook(const rp::Peer&);    // a pipe is up /
///     gone void idle(rp::UnixSeconds waiting_since, double seconds);              // server void
///     connection_added(const rp::Peer&, std::uint64_t new_count);       // server void
///     connection_removed(const rp::Peer&, std::uint64_t new_count);     // server void
///     connect_success(std::uint64_t attempts, std::optional<rp::UnixSeconds> since);  // client
///     void connect_fail(std::uint64_t attempts, std::optional<rp::UnixSeconds> since);     //
///     client
///
/// Build with hidden visibility and -fno-gnu-unique, so that two plugins do not share symbols.

#include <concepts>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <restpipe/plugin.h>
#include <restpipe/sdk/call.hpp>
#include <restpipe/sdk/json_text.hpp>
#include <restpipe/sdk/methods.hpp>
#include <restpipe/sdk/reply.hpp>

namespace rp {

/// Seconds since 1970, UTC, with a fraction.
using UnixSeconds = double;

/// The other end of a pipe.
struct Peer {
  std::string_view name;     ///< identity from its certificate
  std::string_view address;  ///< textual IP address
  std::uint16_t port = 0;
};

namespace detail {

inline Peer peer_of(const restpipe_peer* peer) noexcept {
  return {view(peer->name), view(peer->address), peer->port};
}

inline std::optional<UnixSeconds> time_of(double seconds) noexcept {
  return seconds == 0 ? std::nullopt : std::optional(seconds);
}

template <class T>
std::unique_ptr<T> make_plugin(const restpipe_host* host) {
  if constexpr (std::constructible_from<T, Host>) {
    return std::make_unique<T>(Host(host));
  } else {
    return std::make_unique<T>();
  }
}

/// One loaded plugin: the author's object and its methods.
template <class T>
struct Instance {
  explicit Instance(const restpipe_host* h) : host(h), object(make_plugin<T>(h)) {
    Methods<T> methods(host, *object, entries);
    T::methods(methods);
  }

  const restpipe_host* host;
  std::deque<Entry> entries;
  std::unique_ptr<T> object;
};

/// Runs one state callback; what it throws goes to the log.
template <class T, class Callback>
void tell(void* self, const char* which, Callback callback) noexcept {
  auto& instance = *static_cast<Instance<T>*>(self);
  try {
    callback(*instance.object);
  } catch (const std::exception& e) {
    Host(instance.host).log(Log::error, std::string(which) + "() failed: " + e.what());
  } catch (...) {
    Host(instance.host).log(Log::error, std::string(which) + "() threw no std::exception");
  }
}

template <class T>
void set_hooks(restpipe_plugin& plugin) {
  if constexpr (requires(T & t, const Peer& p) { t.start_hook(p); }) {
    plugin.start_hook = [](void* self, const restpipe_peer* peer) {
      tell<T>(self, "start_hook", [&](T& t) { t.start_hook(peer_of(peer)); });
    };
  }
  if constexpr (requires(T & t, const Peer& p) { t.stop_hook(p); }) {
    plugin.stop_hook = [](void* self, const restpipe_peer* peer) {
      tell<T>(self, "stop_hook", [&](T& t) { t.stop_hook(peer_of(peer)); });
    };
  }
}

template <class T>
void set_server_callbacks(restpipe_plugin& plugin) {
  if constexpr (requires(T & t) { t.idle(0.0, 0.0); }) {
    plugin.idle = [](void* self, double since, double seconds) {
      tell<T>(self, "idle", [&](T& t) { t.idle(since, seconds); });
    };
  }
  if constexpr (requires(T & t, const Peer& p) { t.connection_added(p, std::uint64_t{}); }) {
    plugin.connection_added = [](void* self, const restpipe_peer* peer, std::uint64_t count) {
      tell<T>(self, "connection_added", [&](T& t) { t.connection_added(peer_of(peer), count); });
    };
  }
  if constexpr (requires(T & t, const Peer& p) { t.connection_removed(p, std::uint64_t{}); }) {
    plugin.connection_removed = [](void* self, const restpipe_peer* peer, std::uint64_t count) {
      tell<T>(self, "connection_removed",
              [&](T& t) { t.connection_removed(peer_of(peer), count); });
    };
  }
}

template <class T>
void set_client_callbacks(restpipe_plugin& plugin) {
  using Since = std::optional<UnixSeconds>;
  if constexpr (requires(T & t) { t.connect_success(std::uint64_t{}, Since{}); }) {
    plugin.connect_success = [](void* self, std::uint64_t attempts, double since) {
      tell<T>(self, "connect_success", [&](T& t) { t.connect_success(attempts, time_of(since)); });
    };
  }
  if constexpr (requires(T & t) { t.connect_fail(std::uint64_t{}, Since{}); }) {
    plugin.connect_fail = [](void* self, std::uint64_t attempts, double since) {
      tell<T>(self, "connect_fail", [&](T& t) { t.connect_fail(attempts, time_of(since)); });
    };
  }
}

/// The body of restpipe_plugin_init.
template <class T>
restpipe_status init(const restpipe_host* host, restpipe_plugin* plugin, const char* name,
                     const char* version) noexcept {
  try {
    auto instance = std::make_unique<Instance<T>>(host);
    plugin->name = name;
    plugin->version = version;
    plugin->shutdown = [](void* self) { delete static_cast<Instance<T>*>(self); };
    set_hooks<T>(*plugin);
    set_server_callbacks<T>(*plugin);
    set_client_callbacks<T>(*plugin);
    plugin->self = instance.release();
    return RESTPIPE_OK;
  } catch (const std::exception& e) {
    host->set_error(host, text(e.what()));
  } catch (...) {
    host->set_error(host, text("the constructor threw something that is no std::exception"));
  }
  return RESTPIPE_INVALID;
}

}  // namespace detail

}  // namespace rp

/// Once per shared library: makes `Class` its plugin.
#define RESTPIPE_PLUGIN(Class, name, version)                                                \
  const std::uint32_t restpipe_plugin_abi = RESTPIPE_ABI_VERSION;                            \
  restpipe_status restpipe_plugin_init(const restpipe_host* host, restpipe_plugin* plugin) { \
    return rp::detail::init<Class>(host, plugin, name, version);                             \
  }
