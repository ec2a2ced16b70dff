#include "handlers/proxy/proxy_call.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>

#include "handlers/local/mount_path.h"
#include "pipe/log.h"
#include "pipe/url_path.h"

namespace rp::handlers {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr std::uint32_t kHeadBytesMax = 60 * 1024;
constexpr std::size_t kPieceBytesMax = std::size_t{32} * 1024;
constexpr std::uint64_t kWholeReplyBytesMax = std::uint64_t{64} * 1024;  // told in one piece

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

void append_chunk(std::string& out, std::string_view piece) {
  char digits[16];
  const auto [end, ec] = std::to_chars(digits, digits + sizeof(digits), piece.size(), 16);
  out.append(digits, end).append("\r\n").append(piece).append("\r\n");
}

/// "" when the event has no such header.
std::string_view header_of(const pipe::Event& event, std::string_view name) {
  for (const auto& header : event.headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

}  // namespace

ProxyCall::ProxyCall(std::shared_ptr<ProxyTarget::Shared> shared, pipe::Event event,
                     std::string body, pipe::Origin origin, std::shared_ptr<pipe::ReplySink> sink)
    : LocalCall(shared->context, std::move(event), std::move(body), std::move(origin),
                std::move(sink)),
      shared_(std::move(shared)),
      path_(encoded_path_below(shared_->options.noun, this->event().noun,
                               header_of(this->event(), pipe::kEncodedNounHeader))),
      body_form_(body_form({this->event(), this->origin(), path_, {}, this->body().size()})),
      repeatable_(body_form_ == RequestBody::none),
      room_wake_(context()) {}

std::shared_ptr<ProxyCall> ProxyCall::self() {
  return std::static_pointer_cast<ProxyCall>(shared_from_this());
}

void ProxyCall::on_start() {
  if (pipe::has_dot_dot(path_below(shared_->options.noun, event().noun))) {
    pipe::ReplyHead head{400, "text/plain; charset=utf-8", {}};
    head.http_status = 400;
    return reply(std::move(head), "the path holds a '..' segment\n");
  }
  entered_ = shared_->upstream->enter();
  if (!entered_) {
    return fail(pipe::Errc::overloaded,
                "too many requests to the application " + shared_->options.noun);
  }
  asio::co_spawn(
      context(), [call = self()] { return call->run(); },
      [call = self()](const std::exception_ptr& thrown) {
        if (thrown) call->fail(pipe::Errc::handler_failed, "the exchange failed on this node");
      });
}

void ProxyCall::on_over() {
  room_wake_.cancel();
  close_connection();
  if (std::exchange(entered_, false)) shared_->upstream->leave();
}

void ProxyCall::close_connection() {
  if (!connection_) return;
  boost::system::error_code ignored;
  connection_->socket.close(ignored);
}

asio::awaitable<void> ProxyCall::run() {
  for (const bool may_reuse : {true, false}) {
    const bool opened = co_await open(may_reuse && repeatable_);
    if (!opened) co_return;
    const auto ec = co_await read_head();
    if (over()) co_return;
    if (!ec) break;
    // An idle connection may be closed by the other side just when it is used; nothing ran then.
    if (!connection_->reused || parser_->got_some()) {
      co_return fail_unanswered(pipe::Errc::handler_failed, ec);
    }
  }
  co_await relay_reply();
}

asio::awaitable<bool> ProxyCall::open(bool may_reuse) {
  close_connection();
  writing_ = true;
  connection_ = may_reuse ? shared_->upstream->take_idle() : nullptr;
  if (!connection_) {
    connection_ = std::make_shared<UpstreamConnection>(context());
    const auto ec = co_await shared_->upstream->connect(*connection_);
    if (over()) co_return false;
    if (ec) {
      // A connection that was used again may have carried the request before it broke.
      fail_unanswered(written_ ? pipe::Errc::handler_failed : pipe::Errc::handler_unavailable, ec);
      co_return false;
    }
  }
  request_sent_ = false;
  request_refused_ = false;
  written_ = true;
  write_on(request_head({event(), origin(), path_, shared_->authority, body().size()}));
  co_return true;
}

void ProxyCall::fail_unanswered(pipe::Errc kind, const pipe::error_code& ec) {
  log(LogLevel::warning, "proxy", "An application did not answer",
      {{"noun", shared_->options.noun},
       {"address", shared_->options.address.text()},
       {"request_id", event().request_id},
       {"why", ec.message()}});
  fail(kind, "the application " + shared_->options.noun + " did not answer: " + ec.message());
}

// The request.

/// Sends `bytes`, then what has come of the body meanwhile.
void ProxyCall::write_on(std::string bytes) {
  writing_ = true;
  connection_->sending = std::move(bytes);
  asio::async_write(
      connection_->socket, asio::buffer(connection_->sending),
      [call = self(), connection = connection_](const boost::system::error_code& ec, std::size_t) {
        if (call->over() || call->connection_ != connection) return;
        call->writing_ = false;
        if (ec) call->request_refused_ = true;  // its response may say why
        call->feed_body();
      });
}

void ProxyCall::feed_body() {
  if (writing_ || request_sent_) return;
  if (request_refused_) {
    while (!body().empty()) use_body(body().size());
    return;
  }
  auto bytes = next_of_body();
  if (over()) return;
  if (!bytes.empty()) return write_on(std::move(bytes));
}

/// The next bytes to send, framed; marks the request as sent behind the last of them. Ends the call
/// when the body is not as long as it was said to be.
std::string ProxyCall::next_of_body() {
  std::string bytes;
  const bool counted = body_form_ == RequestBody::counted && event().body_follows;
  const auto piece = body();
  const bool last = body_complete();
  body_sent_ += piece.size();
  const bool wrong =
      counted && (body_sent_ > *event().body_bytes || (last && body_sent_ != *event().body_bytes));
  if (wrong) {
    fail(pipe::Errc::handler_failed, "the request's body has another length than it was said to");
    return bytes;
  }
  if (body_form_ == RequestBody::chunked && !piece.empty()) {
    append_chunk(bytes, piece);
  } else {
    bytes = piece;
  }
  if (last && body_form_ == RequestBody::chunked) bytes += "0\r\n\r\n";
  request_sent_ = last;
  use_body(piece.size());
  return bytes;
}

// The response.

asio::awaitable<pipe::error_code> ProxyCall::read_head() {
  do {  // interim responses, 100 to 199, are between us and the application
    parser_.emplace();
    parser_->header_limit(kHeadBytesMax);
    parser_->body_limit(boost::none);
    const auto [ec, bytes] = co_await http::async_read_header(
        connection_->socket, connection_->received, *parser_, kTuple);
    if (ec) co_return ec;
  } while (parser_->get().result_int() < 200 && parser_->get().result_int() != 101);
  co_return pipe::error_code();
}

asio::awaitable<void> ProxyCall::relay_reply() {
  std::string wrong;
  head_ = reply_head(parser_->get(), wrong);
  if (!wrong.empty()) {
    log(LogLevel::warning, "proxy", "An application's answer cannot be passed on",
        {{"noun", shared_->options.noun}, {"request_id", event().request_id}, {"why", wrong}});
    co_return fail(pipe::Errc::handler_failed, "the answer of the application " +
                                                   shared_->options.noun +
                                                   " cannot be passed on: " + wrong);
  }
  for (auto& header : head_.headers) {
    if (header.name != "location") continue;
    header.value =
        relative_location(header.value, shared_->authority, shared_->options.noun, path_);
  }
  const auto length = parser_->content_length();
  const bool whole = parser_->is_done() || (length && *length <= kWholeReplyBytesMax);
  if (!whole) {
    begun_ = true;
    if (length) head_.body_bytes = *length;
    begin(pipe::ReplyHead(head_));
  }
  std::string piece;
  while (!parser_->is_done()) {
    const bool goes_on = co_await wait_for_room();
    if (!goes_on) co_return;
    if (begun_) piece.clear();
    const auto ec = co_await read_some(piece, std::min(room(), kPieceBytesMax));
    if (over()) co_return;
    if (ec) {
      co_return fail(pipe::Errc::handler_failed,
                     "the application " + shared_->options.noun + " broke its answer off");
    }
    if (begun_ && !parser_->is_done()) write(std::move(piece));
  }
  finish(std::move(piece));
}

asio::awaitable<bool> ProxyCall::wait_for_room() {
  while (!over() && room() == 0) {
    room_wake_.expires_at(pipe::Clock::time_point::max());
    co_await room_wake_.async_wait(kTuple);
  }
  co_return !over();
}

/// Appends what one read brings, which may be nothing.
asio::awaitable<pipe::error_code> ProxyCall::read_some(std::string& to, std::size_t bytes_max) {
  const auto old_size = to.size();
  to.resize(old_size + bytes_max);
  auto& body = parser_->get().body();
  body.data = to.data() + old_size;
  body.size = bytes_max;
  body.more = true;
  auto [ec, bytes] =
      co_await http::async_read_some(connection_->socket, connection_->received, *parser_, kTuple);
  to.resize(old_size + bytes_max - body.size);
  if (ec == http::error::need_buffer) ec = {};
  co_return ec;
}

void ProxyCall::finish(std::string last) {
  const bool reusable = parser_->keep_alive() && !parser_->need_eof() && request_sent_ &&
                        !writing_ && !request_refused_ && connection_->received.size() == 0;
  if (reusable) shared_->upstream->give_back(std::exchange(connection_, nullptr));
  if (!begun_) return reply(std::move(head_), std::move(last));
  write(std::move(last));
  end();
}

}  // namespace rp::handlers
