#pragma once

#include <exception>
#include <string>

#include "handlers/responder.h"

namespace rp::handlers {

/// `{"exception": {"message": .., "traceback": .., "class": ..}}`; what is not UTF-8 in it becomes
/// U+FFFD.
std::string exception_body(const Exception& exception);

/// What `thrown` becomes when `method` threw it while answering `request_id`.
Exception describe(const std::exception_ptr& thrown, std::string_view method,
                   std::string_view request_id);

/// The one traceback line that a remote caller gets: where, without paths, and under which id the
/// log knows more.
std::string traceback_line(std::string_view method, std::string_view request_id);

}  // namespace rp::handlers
