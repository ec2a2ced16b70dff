#include "rest/mailbox.h"

#include <utility>

#include "pipe/io_thread.h"
#include "rest/exchange.h"

namespace rp::rest {

Mailbox::Mailbox(std::shared_ptr<pipe::IoThread> thread, ExchangeOwner& owner,
                 std::size_t stream_bytes_max)
    : thread_(std::move(thread)), stream_bytes_max_(stream_bytes_max), owner_(&owner) {}

Mailbox::~Mailbox() = default;

void Mailbox::ready(std::shared_ptr<Exchange> exchange) {
  if (!thread_->is_current()) {
    return thread_->post([self = shared_from_this(), exchange = std::move(exchange)]() mutable {
      self->ready(std::move(exchange));
    });
  }
  if (owner_ == nullptr) return;
  ready_.push_back(std::move(exchange));
  if (std::exchange(delivers_soon_, true)) return;
  // It may be left in the thread's queue, and must not keep the thread that this keeps.
  thread_->run_soon([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->delivers_soon_ = false;
    if (self->owner_ != nullptr) self->owner_->deliver_ready();
  });
}

void Mailbox::orphan(ConnectionKey connection) {
  thread_->post([self = shared_from_this(), connection] {
    if (self->owner_ != nullptr) self->owner_->on_orphan(connection);
  });
}

void Mailbox::close() {
  owner_ = nullptr;
  ready_.clear();
}

}  // namespace rp::rest
