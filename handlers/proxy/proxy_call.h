#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "handlers/local/local_call.h"
#include "handlers/proxy/http_head.h"
#include "handlers/proxy/proxy_target.h"
#include "handlers/proxy/upstream.h"

namespace rp::handlers {

struct ProxyTarget::Shared {
  Shared(ProxyOptions o, Threads& threads)
      : options(std::move(o)),
        authority(options.address.authority()),
        context(threads.context()),
        upstream(std::make_shared<Upstream>(context, options.address, options.connections_max)) {}

  const ProxyOptions options;
  const std::string authority;
  boost::asio::io_context& context;
  const std::shared_ptr<Upstream> upstream;  // on the I/O thread
};

/// One exchange with the application: the request is written as its body comes, while the response
/// is read as the caller takes it.
class ProxyCall final : public LocalCall {
 public:
  ProxyCall(std::shared_ptr<ProxyTarget::Shared> shared, pipe::Event event, std::string body,
            pipe::Origin origin, std::shared_ptr<pipe::ReplySink> sink);

 private:
  using Parser = boost::beast::http::response_parser<boost::beast::http::buffer_body>;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;

  void on_start() override;
  void on_body() override { feed_body(); }
  void on_room() override { room_wake_.cancel(); }
  void on_over() override;

  awaitable<void> run();
  /// A connection with the request's head on its way; false when the call has ended.
  awaitable<bool> open(bool may_reuse);
  awaitable<pipe::error_code> read_head();
  awaitable<void> relay_reply();
  /// Waits until the caller takes more; false when the call is over.
  awaitable<bool> wait_for_room();
  awaitable<pipe::error_code> read_some(std::string& to, std::size_t bytes_max);

  void feed_body();
  std::string next_of_body();
  void write_on(std::string bytes);
  void close_connection();

  /// Ends the call with its last piece, and keeps the connection if it can be used again.
  void finish(std::string last);
  void fail_unanswered(pipe::Errc kind, const pipe::error_code& ec);
  std::shared_ptr<ProxyCall> self();

  const std::shared_ptr<ProxyTarget::Shared> shared_;
  const std::string path_;  // percent-encoded
  const RequestBody body_form_;
  const bool repeatable_;  // on a fresh connection, when an idle one turns out to be closed

  bool entered_ = false;
  std::shared_ptr<UpstreamConnection> connection_;
  std::optional<Parser> parser_;
  boost::asio::steady_timer room_wake_;

  bool writing_ = true;   // from before the head on: the body waits
  bool written_ = false;  // something of the request, on this connection or one before
  bool request_sent_ = false;
  bool request_refused_ = false;  // the application reads no more of it
  std::uint64_t body_sent_ = 0;
  bool begun_ = false;
  pipe::ReplyHead head_;
};

}  // namespace rp::handlers
