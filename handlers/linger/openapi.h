#pragma once

#include <string_view>

namespace rp::handlers::linger {

/// The API as an OpenAPI 3.1 document: openapi.json beside this file.
std::string_view openapi_document();

}  // namespace rp::handlers::linger
