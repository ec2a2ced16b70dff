#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>

#include <cxxabi.h>

namespace rp {

/// The readable name of a type, namespaces included: "std::runtime_error".
inline std::string type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? text.get() : type.name();
}

/// Without the namespaces in front: "runtime_error"; those inside <> stay.
inline std::string bare_type_name(const std::type_info& type) {
  const std::string name = type_name(type);
  std::size_t begin = 0;
  int depth = 0;  // of <> and (), as in "(anonymous namespace)::Oops"
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '<' || name[i] == '(') ++depth;
    if (name[i] == '>' || name[i] == ')') --depth;
    if (depth == 0 && name[i] == ':') begin = i + 1;
  }
  return name.substr(begin);
}

}  // namespace rp
