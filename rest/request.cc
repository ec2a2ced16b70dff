#include "rest/request.h"

namespace rp::rest {

std::optional<std::string_view> Request::header(std::string_view lower_case_name) const {
  for (const Field& field : fields_) {
    if (view(field.name) == lower_case_name) return view(field.value);
  }
  return std::nullopt;
}

}  // namespace rp::rest
