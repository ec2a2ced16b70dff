#include "handlers/local/mount_path.h"

#include "pipe/percent.h"

namespace rp::handlers {
namespace {

// What the path of a request target may hold beside letters and digits (RFC 3986, section 3.3).
constexpr std::string_view kPathMarks = "-._~!$&'()*+,;=:@/";

}  // namespace

std::string_view path_below(std::string_view mount, std::string_view noun) {
  noun.remove_prefix(mount.size());
  if (noun.starts_with("//")) noun.remove_prefix(1);
  return noun;
}

std::string encoded_path(std::string_view path) { return pipe::percent_encoded(path, kPathMarks); }

std::string encoded_path_below(std::string_view mount, std::string_view noun,
                               std::string_view written) {
  const bool counts = written.starts_with(mount) && pipe::percent_decoded(written) == noun;
  if (!counts) return encoded_path(path_below(mount, noun));
  const auto path = path_below(mount, written);
  std::string text;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool escape = pipe::escaped_byte(path, i).has_value();
    text += escape ? std::string(path.substr(i, 3)) : encoded_path(path.substr(i, 1));
    if (escape) i += 2;
  }
  return text;
}

}  // namespace rp::handlers
