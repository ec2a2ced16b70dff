#include "server/idle_watch.h"

#include <boost/asio/post.hpp>

namespace rp::server {

void IdleWatch::count_changed(std::size_t clients) {
  boost::asio::post(context_, [this, idle = clients == 0] {
    if (idle == idle_) return;
    idle_ = idle;
    timer_.cancel();
    if (!idle_) return;
    since_ = std::chrono::steady_clock::now();
    since_wall_ = std::chrono::system_clock::now();
    tell();
  });
}

void IdleWatch::tell() {
  const auto waited = std::chrono::steady_clock::now() - since_;
  plugins_.idle(since_wall_, std::chrono::duration_cast<std::chrono::seconds>(waited));
  timer_.expires_after(kInterval);
  timer_.async_wait([this](boost::system::error_code ec) {
    if (!ec && idle_) tell();
  });
}

}  // namespace rp::server
