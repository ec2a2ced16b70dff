#pragma once

#include <string_view>

namespace rp::handlers {

/// The media type for a file of that name, by its extension in any case; text is UTF-8.
/// "application/octet-stream" for what is not known.
std::string_view content_type_of(std::string_view file_name);

}  // namespace rp::handlers
