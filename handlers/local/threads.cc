#include "handlers/local/threads.h"

namespace rp::handlers {
namespace {

// Enough to keep an SSD busy and one slow file from holding up the others.
constexpr std::size_t kDiskThreads = 4;

}  // namespace

Threads::Threads()
    : work_(boost::asio::make_work_guard(context_)),
      io_([this] { context_.run(); }),
      disk_(kDiskThreads) {}

Threads::~Threads() { stop(); }

void Threads::stop() {
  disk_.stop();
  disk_.join();
  work_.reset();
  context_.stop();
  if (io_.joinable()) io_.join();
}

}  // namespace rp::handlers
