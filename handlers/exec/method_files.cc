#include "handlers/exec/method_files.h"

#include <algorithm>

#include <fcntl.h>
#include <unistd.h>

#include "handlers/plugin_set.h"
#include "handlers/trusted_file.h"
#include "pipe/log.h"

namespace rp::handlers {
namespace {

constexpr std::size_t kExtensionMax = 8;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// `file` is `method` and an extension.
bool has_extension_of(std::string_view file, std::string_view method) {
  if (!file.starts_with(method)) return false;
  file.remove_prefix(method.size());
  return file.size() >= 2 && file.size() <= 1 + kExtensionMax && file.front() == '.' &&
         std::all_of(file.begin() + 1, file.end(), is_alphanumeric);
}

bool may_execute(const FileDescriptor& directory, const std::string& name,
                 const std::string& path) {
  if (faccessat(directory.get(), name.c_str(), X_OK, AT_EACCESS) == 0) return true;
  log(LogLevel::warning, "exec", "A file is named like a method but is not executable",
      {{"path", path}});
  return false;
}

/// The names of executables in `directory` that stand for `method`.
std::vector<std::string> names_for(const FileDescriptor& directory, const std::string& path,
                                   std::string_view method) {
  std::vector<std::string> names;
  for (const auto& name : names_in(directory)) {
    if (name != method && !has_extension_of(name, method)) continue;
    if (may_execute(directory, name, path + '/' + name)) names.push_back(name);
  }
  const auto exact = std::find(names.begin(), names.end(), method);
  if (exact != names.end()) names = {std::string(method)};
  return names;
}

FoundMethod find_in(const std::string& directory_path, std::string_view method) {
  const auto directory = open_trusted(directory_path, "directory of methods");
  const auto names = names_for(directory.fd, directory_path, method);
  if (names.empty()) return {};
  const auto path = directory_path + '/' + names.front();
  if (names.size() > 1) {
    return {FoundMethod::Kind::refused,
            {},
            false,
            path + " and " + names.back() + " are both named like the method; keep one"};
  }
  open_trusted_in(directory.fd, names.front(), path, "executable");
  // Run by its path, so that a script finds itself in $0: nobody but root and the node's user could
  // put another file there now.
  return {FoundMethod::Kind::found, path, names.front().ends_with(".cgi"), {}};
}

}  // namespace

std::string method_name(std::string_view verb, std::string_view noun) {
  const auto allowed = [](char c) {
    return is_alphanumeric(c) || c == '_' || c == '-' || c == '.' || c == '/';
  };
  if (noun.empty() || !std::all_of(noun.begin(), noun.end(), allowed)) return {};
  std::string name(verb);
  name.append("_").append(noun);
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

FoundMethod find_method(const std::vector<std::string>& directories, std::string_view method) {
  for (const auto& directory : directories) {
    try {
      auto found = find_in(directory, method);
      if (found.kind != FoundMethod::Kind::none) return found;
    } catch (const PluginRefused& refused) {
      return {FoundMethod::Kind::refused, {}, false, refused.what()};
    }
  }
  return {};
}

void check_method_directory(const std::string& path) {
  if (!open_trusted(path, "directory of methods").is_directory) {
    throw PluginRefused("directory of methods " + path + " refused: it is not a directory");
  }
}

}  // namespace rp::handlers
