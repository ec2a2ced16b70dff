#pragma once

#include <string>
#include <string_view>

#include "pipe/event.h"

/// How one client's part of a gathered answer is written; docs/nodes.md is the user's view of it.
namespace rp::server {

/// The members of the JSON object that stands for a reply, without the braces:
///   "code":0,"content_type":"application/json","body":{"time":1}
/// A JSON body is embedded as it is, but for the blanks between its parts; text becomes a string,
/// and everything else base64 with "encoding":"base64" beside it. What calls itself JSON or text
/// and is not is treated as the next of these. Never holds a line break.
std::string reply_members(const pipe::ReplyHead& head, std::string_view body);

/// The same for a client that gave none: "error":{"code":"deadline_exceeded","detail":"..."}
std::string error_members(const pipe::Failure& failure);

/// JSON text without the blanks between its parts; `text` is valid JSON.
std::string without_blanks(std::string_view text);

}  // namespace rp::server
