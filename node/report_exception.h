#pragma once

#include <exception>
#include <string_view>

#include "pipe/log.h"

namespace rp::node {

/// Logs what has escaped a spawned coroutine; nothing for null. It is a bug wherever it happens,
/// and must not pass in silence.
inline void report_exception(std::string_view component, const std::exception_ptr& failure) {
  if (!failure) return;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    log(LogLevel::error, component, "A coroutine ended by an exception", {{"reason", e.what()}});
  } catch (...) {
    log(LogLevel::error, component, "A coroutine ended by something that is no exception");
  }
}

}  // namespace rp::node
