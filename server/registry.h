#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "pipe/event.h"

namespace rp::server {

/// The connected clients: identity to pipe. Pipes come and go on their I/O threads; requests look
/// them up from REST threads. All members are safe from any thread.
class Registry {
 public:
  struct Client {
    std::uint64_t pipe = 0;  ///< number of the pipe, never used twice
    pipe::Origin origin;     ///< identity and address
    std::shared_ptr<pipe::EventTarget> target;
  };

  /// Enters a client. The newest pipe of an identity wins: the one that it replaces is returned.
  std::optional<Client> add(Client client);
  /// Removes the client unless a newer pipe has taken its place. Returns whether it did.
  bool remove(const std::string& node, std::uint64_t pipe);

  std::shared_ptr<pipe::EventTarget> by_name(const std::string& node) const;
  std::optional<Client> find(const std::string& node) const;

  /// Who is connected from one of these addresses.
  struct ByAddress {
    std::shared_ptr<pipe::EventTarget> target;  ///< set if there is exactly one
    std::vector<std::string> nodes;             ///< all of them, sorted
  };
  ByAddress by_address(const std::vector<std::string>& addresses) const;

  /// Whether that name has been connected since the start: then it is worth waiting for.
  bool is_known(const std::string& node) const;

  std::size_t size() const;

 private:
  /// Names remembered after their pipes have gone; beyond it an unknown name is just unknown.
  static constexpr std::size_t kKnownMax = 65536;

  mutable std::mutex mutex_;                         // guards the rest
  std::unordered_map<std::string, Client> clients_;  // by name
  std::unordered_map<std::string, std::unordered_set<std::string>> names_by_address_;
  std::unordered_set<std::string> known_;
};

}  // namespace rp::server
