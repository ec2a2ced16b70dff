#include "node/config_schema.h"

#include <algorithm>
#include <array>

#include "node/config_values.h"
#include "node/suggest.h"

namespace rp::node {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kKiB = 1'024;
constexpr std::size_t kMiB = 1'024 * kKiB;
constexpr std::size_t kGiB = 1'024 * kMiB;
constexpr std::size_t kPiB = 1'024 * 1'024 * kGiB;

constexpr std::string_view kNode = "Node";
constexpr std::string_view kPipe = "Pipe";
constexpr std::string_view kRest = "REST front-end";
constexpr std::string_view kHandlers = "Handlers";
constexpr std::string_view kQueue = "Message queue";
constexpr std::string_view kOperation = "Operation";
constexpr std::string_view kLimits = "Limits";

constexpr kind::Words kHosts{&Config::allow_hosts, &parse_allowed_host, "NAME",
                             "a host name or an IP address, without a port"};
constexpr kind::Words kOrigins{&Config::allow_origins, &parse_allowed_origin, "ORIGIN",
                               "an origin such as https://ops.example or http://localhost:3000"};
constexpr kind::Paths kPlugins{&Config::handlers, "FILE_OR_DIR", "paths of plugins or directories"};
constexpr kind::Paths kIsolated{&Config::isolated, "FILE_OR_DIR",
                                "paths of plugins or directories"};
constexpr kind::Paths kExecutables{&Config::exec, "DIR", "paths of directories"};
constexpr std::string_view kForwardedDefault =
    "accept,accept-language,idempotency-key,if-match,if-none-match,if-modified-since,"
    "if-unmodified-since,if-range,last-event-id,range,traceparent,tracestate,user-agent,"
    "x-forwarded-for,x-forwarded-proto";
constexpr kind::Words kForwarded{&Config::forward_headers, &parse_header_name, "HEADER",
                                 "a header name"};

// Sections come last: in TOML nothing can follow a section but its own keys and further sections.
const std::array kSettings{
    // clang-format off
    Setting{"name", kind::NodeName{&Config::name}, Applies::both, false, "", "", kNode,
            "name of this node; empty takes the one in its certificate"},
    Setting{"identity", kind::Path{&Config::identity_dir, "DIR"}, Applies::both, false,
            "/var/lib/restpipe", "/var/lib/restpipe", kNode,
            "directory with this node's key and certificate and the CA certificate"},
    Setting{"identity_key_file", kind::IdentityFile{&Config::identity_key_file}, Applies::both, false,
            "restpipe.server.key.pem", "restpipe.client.key.pem", kNode,
            "private key, inside the identity directory"},
    Setting{"identity_crt_file", kind::IdentityFile{&Config::identity_crt_file}, Applies::both, false,
            "restpipe.server.crt.pem", "restpipe.client.crt.pem", kNode,
            "certificate, inside the identity directory"},
    Setting{"identity_ca_file", kind::IdentityFile{&Config::identity_ca_file}, Applies::both, false,
            "ca.crt.pem", "ca.crt.pem", kNode,
            "certificate of the CA that signs the peers, inside the identity directory"},
    Setting{"identity_crl_file", kind::IdentityFile{&Config::identity_crl_file}, Applies::both, false,
            "crl.pem", "crl.pem", kNode,
            "revocation list, inside the identity directory; need not exist"},
    Setting{"identity_stale_crl", kind::StaleCrl{&Config::identity_stale_crl}, Applies::both, false,
            "refuse", "refuse", kNode,
            "whether peers are let in while the revocation list is past its nextUpdate"},
    Setting{"data", kind::Path{&Config::data_dir, "DIR"}, Applies::both, false, "", "", kNode,
            "directory for what survives a restart; empty keeps nothing"},
    Setting{"policy", kind::Path{&Config::policy, "FILE"}, Applies::both, false, "", "", kNode,
            "TOML file that says who may call what; empty lets clients call the server and not each other"},

    Setting{"listen", kind::Address{&Config::listen}, Applies::server, false, "0.0.0.0:1234", "", kPipe,
            "address that clients dial; port 0 takes any free one"},
    Setting{"server", kind::Addresses{&Config::servers}, Applies::client, false, "", "localhost:1234", kPipe,
            "servers to dial, in this order"},
    Setting{"connection_wait", kind::Duration{&Config::connection_wait, milliseconds(0), hours(1)},
            Applies::both, false, "20", "20", kPipe,
            "how long a request waits for the pipe to its target"},
    Setting{"session_grace", kind::Duration{&Config::session_grace, milliseconds(0), hours(1)},
            Applies::both, false, "60", "60", kPipe,
            "how long calls and streams outlive a lost connection; 0 ends them with it"},
    Setting{"return_wait", kind::Duration{&Config::return_wait, milliseconds(0), hours(1)},
            Applies::both, false, "1.5", "1.5", kPipe,
            "how long calls that were sent wait for a peer that hung up, not just fell silent"},
    Setting{"call_timeout", kind::Duration{&Config::call_timeout, milliseconds(100), hours(24)},
            Applies::both, false, "300", "300", kPipe,
            "longest time from a request to the end of its reply"},
    Setting{"gather_timeout", kind::Duration{&Config::gather_timeout, milliseconds(100), hours(1)},
            Applies::both, false, "10", "10", kPipe,
            "how long a request to all clients waits for their replies, unless it says so itself"},
    Setting{"handshake_timeout", kind::Duration{&Config::handshake_timeout, milliseconds(100), minutes(5)},
            Applies::both, false, "10", "10", kPipe,
            "time for a new connection to prove who it is"},
    Setting{"resolve_timeout", kind::Duration{&Config::resolve_timeout, milliseconds(100), minutes(1)},
            Applies::both, false, "4", "4", kPipe,
            "longest DNS lookup"},

    Setting{"rest", kind::RestEndpoints{&Config::rest}, Applies::both, false,
            "127.0.0.1:8989", "127.0.0.1:8990", kRest,
            "where local programs reach this node; port 0 takes any free one"},
    Setting{"rest_socket_mode", kind::Mode{&Config::rest_socket_mode}, Applies::both, false,
            "0660", "0660", kRest,
            "permissions of Unix sockets"},
    Setting{"rest_token_file", kind::Path{&Config::rest_token_file, "FILE"}, Applies::both, false, "", "", kRest,
            "file with a bearer token that every request must carry; empty asks for none"},
    Setting{"allow_host", kHosts, Applies::both, false, "", "", kRest,
            "Host header accepted beside this node's own addresses"},
    Setting{"allow_origin", kOrigins, Applies::both, false, "", "", kRest,
            "browser origin whose pages may send requests and read the answers"},
    Setting{"forward_header", kForwarded, Applies::both, false,
            kForwardedDefault,
            kForwardedDefault,
            kRest, "request header that handlers see"},
    Setting{"rest_header_timeout", kind::Duration{&Config::rest_header_timeout, milliseconds(100), minutes(10)},
            Applies::both, false, "10", "10", kRest,
            "time for a request's headers to arrive"},
    Setting{"rest_idle_timeout", kind::Duration{&Config::rest_idle_timeout, milliseconds(100), hours(1)},
            Applies::both, false, "60", "60", kRest,
            "how long a quiet connection is kept, and the longest pause inside a body"},
    Setting{"slow_call", kind::Duration{&Config::slow_call, milliseconds(0), hours(24)},
            Applies::both, false, "1", "1", kRest,
            "a call that takes this long gets a line in the log that says where; 0 for none"},

    Setting{"handlers", kPlugins, Applies::both, false, "", "", kHandlers,
            "plugin (.so) or directory of plugins; the built-in demo without any, and without exec"},
    Setting{"isolate", kind::Switch{&Config::isolate}, Applies::both, false, "false", "false", kHandlers,
            "whether each of these plugins runs in a process of its own, where a crash is its own"},
    Setting{"isolated", kIsolated, Applies::both, false, "", "", kHandlers,
            "plugin or directory of plugins that run in processes of their own, whatever isolate says"},
    Setting{"worker_threads", kind::Count{&Config::worker_threads, 1, 1'024}, Applies::both, false,
            "16", "16", kHandlers,
            "threads that run blocking handlers"},
    Setting{"worker_queue_max", kind::Count{&Config::worker_queue_max, 1, 1'000'000}, Applies::both, false,
            "1024", "1024", kHandlers,
            "calls that wait for such a thread; more are refused"},
    Setting{"exec", kExecutables, Applies::both, false, "", "", kHandlers,
            "directory of executables that are named like methods and answer as such"},
    Setting{"exec_processes_max", kind::Count{&Config::exec_processes_max, 1, 1'024}, Applies::both, false,
            "16", "16", kHandlers,
            "executables that run at once"},
    Setting{"exec_queue_max", kind::Count{&Config::exec_queue_max, 0, 100'000}, Applies::both, false,
            "256", "256", kHandlers,
            "calls that wait for one of them to end; more are refused"},
    Setting{"idempotency_window", kind::Duration{&Config::idempotency_window, seconds(1), hours(24 * 30)},
            Applies::both, false, "86400", "86400", kHandlers,
            "how long answers to requests with an Idempotency-Key are kept"},
    Setting{"idempotency_bytes_max", kind::Bytes{&Config::idempotency_bytes_max, 1, 4096 * kMiB},
            Applies::both, false, "64MiB", "64MiB", kHandlers,
            "memory for those answers; the oldest go first"},
    Setting{"files", kind::FilesMounts{&Config::files}, Applies::both, false, "", "", kHandlers,
            "noun and the directory of files that is served under it"},
    Setting{"proxy", kind::ProxyMounts{&Config::proxy}, Applies::both, false, "", "", kHandlers,
            "noun and the local HTTP application that answers for it"},

    Setting{"queue", kind::Switch{&Config::queue}, Applies::both, false, "true", "false", kQueue,
            "whether this node has a message queue, with Linger's HTTP API"},
    Setting{"queue_messages_max", kind::Count{&Config::queue_messages_max, 0, 1'000'000'000'000},
            Applies::both, false, "0", "0", kQueue,
            "high-level mark: most messages of a channel that sets none itself; 0 for no limit"},
    Setting{"queue_channel_bytes_max", kind::Bytes{&Config::queue_channel_bytes_max, 0, kPiB},
            Applies::both, false, "0", "0", kQueue,
            "the same in bytes"},
    Setting{"queue_bytes_max", kind::Bytes{&Config::queue_bytes_max, 0, kPiB},
            Applies::both, false, "0", "0", kQueue,
            "bytes of all messages; 0 is 1GiB in memory, and what the disk holds with data"},

    Setting{"threads", kind::Count{&Config::threads, 0, 256}, Applies::both, false, "0", "0", kOperation,
            "I/O threads of the pipes; the first half of them serve HTTP too; 0 is one per processor"},
    Setting{"drain_timeout", kind::Duration{&Config::drain_timeout, milliseconds(0), minutes(10)},
            Applies::both, false, "10", "10", kOperation,
            "how long requests in flight may go on after SIGTERM"},
    Setting{"statsd", kind::OptionalAddress{&Config::statsd}, Applies::both, false,
            "localhost:8125", "localhost:8125", kOperation,
            "statsd daemon (UDP); empty is off"},

    Setting{"log.level", kind::Level{&Config::log_level}, Applies::both, true, "info", "info", kOperation,
            "lines below this level are left out"},
    Setting{"log.format", kind::Format{&Config::log_format}, Applies::both, false, "text", "text", kOperation,
            "shape of the lines on stderr"},

    Setting{"heartbeat.interval", kind::Duration{&Config::heartbeat_interval, milliseconds(50), minutes(10)},
            Applies::both, false, "5", "5", kPipe,
            "pause between two heartbeats"},
    Setting{"heartbeat.timeout", kind::Duration{&Config::heartbeat_timeout, milliseconds(0), hours(1)},
            Applies::both, false, "0", "0", kPipe,
            "how long the answer to a heartbeat may take; 0 is twice the interval"},

    Setting{"reconnect.base", kind::Duration{&Config::reconnect_base, milliseconds(10), minutes(1)},
            Applies::client, false, "", "100ms", kPipe,
            "first pause between two attempts to connect; it doubles, with jitter"},
    Setting{"reconnect.cap", kind::Duration{&Config::reconnect_cap, milliseconds(10), minutes(10)},
            Applies::client, false, "", "5", kPipe,
            "longest pause between two attempts to connect"},

    Setting{"limits.calls_in_flight_max", kind::Count{&Config::calls_in_flight_max, 1, 65'536},
            Applies::both, false, "4096", "4096", kLimits,
            "calls under way in one direction of a pipe; more are refused"},
    Setting{"limits.body_bytes_max", kind::Bytes{&Config::body_bytes_max, 1, 512 * kMiB},
            Applies::both, false, "64MiB", "64MiB", kLimits,
            "largest request or reply body that is held in memory"},
    Setting{"limits.session_window_bytes", kind::Bytes{&Config::session_window_bytes, 64 * kKiB, kGiB},
            Applies::both, false, "16MiB", "16MiB", kLimits,
            "body bytes under way in one direction of a pipe"},
    Setting{"limits.pipes_max", kind::Count{&Config::pipes_max, 1, 1'000'000}, Applies::server, false,
            "10000", "", kLimits,
            "clients connected, or away with a session that is kept"},
    Setting{"limits.accept_rate", kind::Count{&Config::accept_rate, 1, 1'000'000}, Applies::server, false,
            "2000", "", kLimits,
            "connections accepted per second; more wait their turn"},
    Setting{"limits.unauthenticated_max", kind::Count{&Config::unauthenticated_max, 1, 1'000'000},
            Applies::server, false, "512", "", kLimits,
            "connections that have not proved who they are"},
    Setting{"limits.unauthenticated_per_source_max",
            kind::Count{&Config::unauthenticated_per_source_max, 1, 1'000'000},
            Applies::server, false, "64", "", kLimits,
            "the same from one IP address"},
    Setting{"limits.rest_connections_max", kind::Count{&Config::rest_connections_max, 1, 1'000'000},
            Applies::both, false, "4096", "4096", kLimits,
            "connections to the REST front-end"},
    Setting{"limits.rest_header_bytes_max", kind::Bytes{&Config::rest_header_bytes_max, kKiB, kMiB},
            Applies::both, false, "16KiB", "16KiB", kLimits,
            "request line and headers together"},
    // clang-format on
};

/// The key with every joint written as `joint`.
std::string joined(std::string_view key, char joint) {
  std::string text(key);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '.' || c == '_' || c == '-'; }, joint);
  return text;
}

}  // namespace

std::span<const Setting> all_settings() noexcept { return kSettings; }

bool has(const Setting& setting, Role role) noexcept {
  return setting.applies == Applies::both ||
         (setting.applies == Applies::server) == (role == Role::server);
}

std::string_view default_text(const Setting& setting, Role role) noexcept {
  return role == Role::server ? setting.server_default : setting.client_default;
}

std::string flag_name(const Setting& setting) { return "--" + joined(setting.key, '-'); }

std::string variable_name(const Setting& setting) {
  std::string text = "RESTPIPE_" + joined(setting.key, '_');
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

const Setting* find_setting(std::string_view key) noexcept {
  const auto same_char = [](char a, char b) {
    const auto joint = [](char c) { return c == '.' || c == '_' || c == '-'; };
    return a == b || (joint(a) && joint(b));
  };
  const auto found = std::find_if(kSettings.begin(), kSettings.end(), [&](const Setting& s) {
    return std::equal(s.key.begin(), s.key.end(), key.begin(), key.end(), same_char);
  });
  return found == kSettings.end() ? nullptr : &*found;
}

std::string nearest_key(std::string_view misspelt) {
  std::vector<std::string> keys;
  for (const Setting& setting : kSettings) keys.emplace_back(setting.key);
  return nearest(misspelt, keys);
}

std::string nearest_variable(std::string_view misspelt) {
  std::vector<std::string> names{"RESTPIPE_CONFIG"};
  for (const Setting& setting : kSettings) names.push_back(variable_name(setting));
  return nearest(misspelt, names);
}

}  // namespace rp::node
