#include "server/registry.h"

#include <algorithm>
#include <utility>

namespace rp::server {

std::optional<Registry::Client> Registry::add(Client client) {
  const std::lock_guard lock(mutex_);
  const std::string node = client.origin.node;
  std::optional<Client> replaced;
  if (const auto old = clients_.find(node); old != clients_.end()) {
    names_by_address_[old->second.origin.address].erase(node);
    replaced = std::move(old->second);
    clients_.erase(old);
  }
  if (known_.size() < kKnownMax) known_.insert(node);
  names_by_address_[client.origin.address].insert(node);
  clients_.emplace(node, std::move(client));
  return replaced;
}

bool Registry::remove(const std::string& node, std::uint64_t pipe) {
  const std::lock_guard lock(mutex_);
  const auto found = clients_.find(node);
  if (found == clients_.end() || found->second.pipe != pipe) return false;
  const auto names = names_by_address_.find(found->second.origin.address);
  names->second.erase(node);
  if (names->second.empty()) names_by_address_.erase(names);
  clients_.erase(found);
  return true;
}

std::shared_ptr<pipe::EventTarget> Registry::by_name(const std::string& node) const {
  const std::lock_guard lock(mutex_);
  const auto found = clients_.find(node);
  return found == clients_.end() ? nullptr : found->second.target;
}

std::optional<Registry::Client> Registry::find(const std::string& node) const {
  const std::lock_guard lock(mutex_);
  const auto found = clients_.find(node);
  if (found == clients_.end()) return std::nullopt;
  return found->second;
}

Registry::ByAddress Registry::by_address(const std::vector<std::string>& addresses) const {
  const std::lock_guard lock(mutex_);
  ByAddress result;
  for (const std::string& address : addresses) {
    const auto found = names_by_address_.find(address);
    if (found == names_by_address_.end()) continue;
    result.nodes.insert(result.nodes.end(), found->second.begin(), found->second.end());
  }
  std::sort(result.nodes.begin(), result.nodes.end());
  if (result.nodes.size() == 1) result.target = clients_.at(result.nodes.front()).target;
  return result;
}

bool Registry::is_known(const std::string& node) const {
  const std::lock_guard lock(mutex_);
  return known_.contains(node);
}

std::size_t Registry::size() const {
  const std::lock_guard lock(mutex_);
  return clients_.size();
}

}  // namespace rp::server
