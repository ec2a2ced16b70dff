#include "handlers/exception_object.h"

#include <typeinfo>

#include <restpipe/sdk/json_text.hpp>
#include <restpipe/sdk/type_name.hpp>

namespace rp::handlers {

std::string exception_body(const Exception& exception) {
  std::string body = R"({"exception": {"message": )";
  append_json_string(body, exception.message, OnBadUtf8::replace);
  body.append(R"(, "traceback": )");
  append_json_string(body, exception.traceback, OnBadUtf8::replace);
  body.append(R"(, "class": )");
  append_json_string(body, exception.class_name, OnBadUtf8::replace);
  body.append("}}");
  return body;
}

Exception describe(const std::exception_ptr& thrown, std::string_view method,
                   std::string_view request_id) {
  auto traceback = traceback_line(method, request_id);
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& e) {
    return {bare_type_name(typeid(e)), e.what(), std::move(traceback)};
  } catch (...) {
    return {"UnknownException", "the handler threw something that is no std::exception",
            std::move(traceback)};
  }
}

std::string traceback_line(std::string_view method, std::string_view request_id) {
  std::string line("in ");
  line.append(method).append("(), request ").append(request_id).append("\n");
  return line;
}

}  // namespace rp::handlers
