#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace rp::handlers::linger {

/// The parameters of a request, from its query string and from the form in its body. Given several
/// times the last one counts, and the body's before the query's. Of names that the API does not
/// have the first is kept, to be told.
class Parameters {
 public:
  Parameters() = default;

  /// `content_type` is the whole header; the body counts if it says that it is a form. Nothing when
  /// a value is no UTF-8. A malformed multipart body has no parameters.
  static std::optional<Parameters> read(std::string_view query, std::string_view content_type,
                                        std::string_view body);

  void set(std::string_view name, std::string_view value);
  /// The value, cleaned(); null when it was not given.
  const std::string* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// A name that was given and is not among `accepted`, which are divided by blanks; as it can be
  /// shown.
  std::optional<std::string> other_than(std::string_view accepted) const;

 private:
  bool add(std::string_view name, std::string_view value);
  bool add_form(std::string_view form);
  bool add_multipart(std::string_view content_type, std::string_view body);

  std::map<std::string, std::string, std::less<>> values_;
  std::optional<std::string> unknown_;  // the first name that the API does not have, shown
};

/// A Content-Type without its parameters, in lower case.
std::string media_type(std::string_view content_type);
inline constexpr std::string_view kFormType = "application/x-www-form-urlencoded";
inline constexpr std::string_view kMultipartType = "multipart/form-data";

}  // namespace rp::handlers::linger
