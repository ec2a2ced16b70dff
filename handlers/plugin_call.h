#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string_view>
#include <vector>

#include <boost/container/small_vector.hpp>

#include "handlers/callback_slot.h"
#include "handlers/plugin.h"
#include "handlers/responder.h"

/// A call as plugins hold it: the Responder under a count of references. Destroyed by the last
/// release(), which answers for a plugin that has not.
struct restpipe_call {
  explicit restpipe_call(rp::handlers::Responder r);
  restpipe_call(const restpipe_call&) = delete;
  restpipe_call& operator=(const restpipe_call&) = delete;

  void retain() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  void on_cancel(void (*callback)(void*), void* user);

  struct Fire {
    std::shared_ptr<rp::handlers::CallbackSlot> slot;  // may outlive the call, inside its callback
    void operator()() const { slot->fire(); }
  };

  std::atomic<std::uint32_t> references{1};
  rp::handlers::Responder responder;
  boost::container::small_vector<restpipe_text, 4> args;
  std::vector<restpipe_header> headers;
  restpipe_invocation invocation{};  // views into the call and the two above
  std::once_flag cancel_once;        // guards the making of the two below
  std::shared_ptr<rp::handlers::CallbackSlot> cancel_slot;
  std::optional<std::stop_callback<Fire>> cancel_listener;
};

namespace rp::handlers {

inline restpipe_text to_text(std::string_view view) noexcept { return {view.data(), view.size()}; }
inline std::string_view to_view(restpipe_text text) noexcept {
  return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}

/// Fills in those functions of `host` that act on a call.
void set_call_functions(restpipe_host& host) noexcept;

}  // namespace rp::handlers
