#pragma once

#include <string>
#include <string_view>

#include "tests/product/harness/http.h"

/// What answers look like, each as one expectation that names what differs.
namespace rp::product {

/// A handler's answer: status 200 with this code, content type and body.
void expect_reply(const Response& response, std::string_view code, std::string_view content_type,
                  std::string_view body);

/// Code 0, JSON, {"KEY": N} where N is now, give or take two seconds, with a decimal fraction.
void expect_time(const Response& response, std::string_view key);

/// Code 251 and exactly the exception object, with a class of that name ("" for any) and a message
/// that holds `message_part`.
void expect_exception(const Response& response, std::string_view class_name,
                      std::string_view message_part = "");

/// Code 255, text/plain, empty: the peer has no such method.
void expect_no_such_method(const Response& response);

/// An answer of the node itself: that status, and no event code.
void expect_refusal(const Response& response, int status);

}  // namespace rp::product
