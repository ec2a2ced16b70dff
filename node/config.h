#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "certs/peer.h"
#include "handlers/proxy/proxy_address.h"
#include "node/endpoint.h"
#include "node/exit_codes.h"
#include "pipe/log.h"

/// Everything that an operator can set, and where it may be set: flags, environment, one TOML file.
/// docs/configuration.md is the user's view of this; node/config_schema.cc holds the one table that
/// both come from.
namespace rp::node {

enum class Role { server, client };
enum class LogFormat { text, json };

std::string_view name(Role role) noexcept;  ///< "server" or "client"

/// The places that settings come from, kept whole so that a reload can read them again.
struct Sources {
  /// Flag texts by settings key ("log.level"), in the order of the command line.
  std::map<std::string, std::vector<std::string>> flags;
  /// The environment as it was when the process started.
  std::map<std::string, std::string> environment;
  /// From --config; when absent, RESTPIPE_CONFIG and the reference's variable are asked.
  std::optional<std::filesystem::path> file;
};

/// Where a value came from, strongest last.
enum class Layer { built_in, file, reference, environment, flag };

/// One effective setting as `restpipe config show` prints it.
struct Effective {
  std::string key;                 ///< "log.level"
  std::vector<std::string> items;  ///< the texts that were given, or the default's
  Layer layer = Layer::built_in;
  std::string origin;  ///< "node.toml:3:1", "RP_SERVER_BIND_PORT", "default"
};

/// A directory of files and the noun that it is served under.
struct FilesMount {
  std::string noun;
  std::filesystem::path root;

  friend bool operator==(const FilesMount&, const FilesMount&) = default;
};

/// A local HTTP application and the noun that stands for it.
struct ProxyMount {
  std::string noun;
  handlers::ProxyAddress address;

  friend bool operator==(const ProxyMount&, const ProxyMount&) = default;
};

/// The settings of one node, complete and checked. Copies freely; nothing in it is a secret.
/// Durations are never negative; limits are at least 1; addresses are syntactically valid.
struct Config {
  Role role = Role::server;
  std::string name;  ///< the node's name; empty: the one in the certificate

  // Identity: one directory, file names inside it. An absolute file name leaves the directory.
  std::filesystem::path identity_dir;
  std::filesystem::path identity_key_file;
  std::filesystem::path identity_crt_file;
  std::filesystem::path identity_ca_file;
  std::filesystem::path identity_crl_file;  ///< optional to exist
  certs::StaleCrl identity_stale_crl = certs::StaleCrl::refuse;

  std::filesystem::path data_dir;  ///< empty: nothing is kept on disk
  std::filesystem::path policy;    ///< empty: the built-in policy

  // Handlers
  std::vector<std::filesystem::path> handlers;  ///< files or directories; empty: the built-in demo
  bool isolate = false;                         ///< each of them in a process of its own
  std::vector<std::filesystem::path> isolated;  ///< as `handlers`; always in processes of their own
  std::size_t worker_threads = 0;               ///< for blocking handlers
  std::size_t worker_queue_max = 0;             ///< calls that wait for a worker; more are refused
  std::vector<std::filesystem::path> exec;      ///< directories of executables named like methods
  std::size_t exec_processes_max = 0;           ///< child processes at once
  std::size_t exec_queue_max = 0;               ///< calls that wait for one; more are refused
  std::chrono::milliseconds idempotency_window{};  ///< how long answers to keyed requests are kept
  std::size_t idempotency_bytes_max = 0;           ///< what they may hold together
  std::vector<FilesMount> files;
  std::vector<ProxyMount> proxy;

  // Message queue
  bool queue = false;                       ///< whether this node has one
  std::size_t queue_messages_max = 0;       ///< of a channel; 0 for no limit
  std::size_t queue_channel_bytes_max = 0;  ///< the same in bytes
  std::size_t queue_bytes_max = 0;          ///< of all channels together

  // Pipe
  HostPort listen;                              ///< server only
  std::vector<HostPort> servers;                ///< client only; dialled in this order
  std::chrono::milliseconds connection_wait{};  ///< how long a call waits for its peer's pipe
  std::chrono::milliseconds session_grace{};    ///< how long a session outlives its link
  std::chrono::milliseconds return_wait{};      ///< the same for calls to a peer that hung up
  std::chrono::milliseconds call_timeout{};     ///< from the request to the end of its reply
  std::chrono::milliseconds gather_timeout{};   ///< the same for a request to all clients
  std::chrono::milliseconds heartbeat_interval{};
  std::chrono::milliseconds heartbeat_timeout{};  ///< further silence after which the peer is dead
  std::chrono::milliseconds handshake_timeout{};  ///< TLS and HELLO together
  std::chrono::milliseconds reconnect_base{};     ///< first step of the jittered backoff
  std::chrono::milliseconds reconnect_cap{};      ///< longest wait between two attempts
  std::chrono::milliseconds resolve_timeout{};    ///< one DNS lookup
  std::chrono::milliseconds drain_timeout{};      ///< SIGTERM to exit, at most

  // REST
  std::vector<rest::Endpoint> rest;
  std::vector<std::string> allow_hosts;    ///< Host names accepted beside the node's own addresses
  std::vector<std::string> allow_origins;  ///< browser origins that may call; none by default
  std::filesystem::path rest_token_file;   ///< empty: no bearer token asked
  unsigned rest_socket_mode = 0;           ///< permission bits of Unix sockets
  std::vector<std::string> forward_headers;  ///< request headers that handlers see, lower case
  std::chrono::milliseconds rest_header_timeout{};
  std::chrono::milliseconds rest_idle_timeout{};
  std::chrono::milliseconds slow_call{};  ///< calls this long get a line in the log; 0 for none

  // Limits
  std::size_t calls_in_flight_max = 0;             ///< per pipe and direction
  std::size_t body_bytes_max = 0;                  ///< one request or reply body
  std::size_t session_window_bytes = 0;            ///< un-consumed body bytes, per direction
  std::size_t pipes_max = 0;                       ///< server only: connected clients
  std::size_t accept_rate = 0;                     ///< server only: connections per second
  std::size_t unauthenticated_max = 0;             ///< server only: connections in the handshake
  std::size_t unauthenticated_per_source_max = 0;  ///< the same from one IP address
  std::size_t rest_connections_max = 0;
  std::size_t rest_header_bytes_max = 0;

  // Operation
  std::size_t threads = 0;  ///< for I/O; never 0 once loaded
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
  std::optional<HostPort> statsd;  ///< absent: off

  std::vector<Effective> values;      ///< one per setting of the role, in schema order
  std::vector<std::string> warnings;  ///< lines for the log, once there is one
  Sources sources;                    ///< where all this came from, for reload_config()
};

/// One or more wrong settings. what() is the first of them and says how many follow; `lines` has
/// all.
class ConfigError : public StartupError {
 public:
  explicit ConfigError(std::vector<std::string> lines);

  const std::vector<std::string>& lines() const noexcept { return lines_; }

 private:
  std::vector<std::string> lines_;
};

/// Reads all layers and checks them. Precedence: flags, RESTPIPE_* variables, the reference's RP_*
/// variables and DEBUG, the file, defaults. Throws ConfigError with every problem found; touches
/// nothing but the file.
Config load_config(Role role, Sources sources);

/// Reads the same sources again, as SIGHUP asks. Throws like load_config; the caller then keeps
/// `running`.
Config reload_config(const Config& running);

/// Keys that differ and take effect only in a new process. The others (the log level) may be
/// applied to a running node.
std::vector<std::string> keys_needing_restart(const Config& before, const Config& after);

/// The process environment as Sources wants it.
std::map<std::string, std::string> process_environment();

}  // namespace rp::node
