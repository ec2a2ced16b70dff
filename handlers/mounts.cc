#include "handlers/mounts.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace rp::handlers {
namespace {

bool is_noun_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == '/';
}

bool is_mount_noun(std::string_view noun) {
  return std::all_of(noun.begin(), noun.end(), is_noun_character) && !noun.starts_with('/') &&
         !noun.ends_with('/') && noun.find("//") == std::string_view::npos;
}

}  // namespace

std::string Mounts::Mount::method_name(std::string_view verb) const {
  std::string name(verb);
  if (!noun.empty()) name.append("_").append(noun);
  std::replace(name.begin(), name.end(), '/', '_');
  return name.append("_*");
}

void Mounts::add(std::string_view noun, std::shared_ptr<pipe::EventTarget> target) {
  if (!is_mount_noun(noun)) {
    throw std::invalid_argument("'" + std::string(noun) +
                                "' cannot be mounted: letters, digits, '_', '-', '.' and single "
                                "'/' between them");
  }
  const auto same = [&](const Mount& mount) { return mount.noun == noun; };
  if (std::any_of(mounts_.begin(), mounts_.end(), same)) {
    throw std::invalid_argument("'" + std::string(noun) + "' is mounted twice");
  }
  const auto shorter = [&](const Mount& mount) { return mount.noun.size() < noun.size(); };
  const auto at = std::find_if(mounts_.begin(), mounts_.end(), shorter);
  mounts_.insert(at, {std::string(noun), std::move(target)});
}

const Mounts::Mount* Mounts::find(std::string_view noun) const noexcept {
  for (const auto& mount : mounts_) {
    const bool begins = mount.noun.empty() || noun.starts_with(mount.noun);
    const bool whole = mount.noun.empty() || noun.size() == mount.noun.size() ||
                       (begins && noun[mount.noun.size()] == '/');
    if (begins && whole) return &mount;
  }
  return nullptr;
}

}  // namespace rp::handlers
