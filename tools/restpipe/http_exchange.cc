#include "tools/restpipe/http_exchange.h"

#include <exception>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "pipe/name_lookup.h"

namespace rp::tools {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Stream = beast::basic_stream<asio::generic::stream_protocol>;

constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::uint32_t kHeadBytesMax = 64 * 1024;

/// The request on its way; one coroutine owns the object.
class Exchange {
 public:
  Exchange(const HttpRequest& request, const std::function<void(const HttpHead&)>& on_head,
           const std::function<void(std::string_view)>& on_body, asio::io_context& io)
      : request_(request), on_head_(on_head), on_body_(on_body), stream_(io) {}

  asio::awaitable<void> run() {
    co_await connect();
    co_await send();
    co_await receive();
  }

 private:
  [[noreturn]] void fail(HttpFailure::Kind kind, const std::string& what, const error_code& ec) {
    if (ec == beast::error::timeout) {
      const auto seconds = std::chrono::duration<double>(request_.timeout).count();
      std::string text = std::to_string(seconds);
      text.erase(text.find_last_not_of('0') + 1);
      if (text.ends_with('.')) text.pop_back();
      throw HttpFailure(HttpFailure::Kind::timed_out,
                        to_string(request_.to) + ": nothing came for " + text + " s");
    }
    throw HttpFailure(kind, to_string(request_.to) + ": " + what + ": " + ec.message());
  }

  asio::awaitable<std::vector<asio::generic::stream_protocol::endpoint>> addresses() {
    std::vector<asio::generic::stream_protocol::endpoint> result;
    if (request_.to.is_unix()) {
      result.emplace_back(asio::local::stream_protocol::endpoint(request_.to.unix_path));
      co_return result;
    }
    pipe::NameLookup lookup(stream_.get_executor());
    const auto found = co_await lookup.run(request_.to.host, request_.timeout);
    if (!found) fail(HttpFailure::Kind::unreachable, "the name does not resolve", found.error());
    for (const auto& address : *found) {
      result.emplace_back(asio::ip::tcp::endpoint(address, request_.to.port));
    }
    co_return result;
  }

  asio::awaitable<void> connect() {
    const auto endpoints = co_await addresses();
    error_code ec = asio::error::host_not_found;
    for (const auto& endpoint : endpoints) {
      stream_.expires_after(request_.timeout);
      ec = {};
      co_await stream_.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, ec));
      if (!ec) co_return;
      stream_.close();
    }
    fail(HttpFailure::Kind::unreachable, "cannot connect", ec);
  }

  asio::awaitable<void> send() {
    http::request<http::string_body> message;
    message.method_string(request_.method);
    message.target(request_.target);
    message.version(11);
    message.set(http::field::host, request_.to.is_unix() ? "localhost" : to_string(request_.to));
    message.set(http::field::user_agent, "restpipe-call");
    message.set(http::field::connection, "close");
    for (const auto& [name, value] : request_.headers) message.set(name, value);
    if (request_.body) {
      message.body() = *request_.body;
      message.content_length(message.body().size());
    }
    stream_.expires_after(request_.timeout);
    error_code ec;
    co_await http::async_write(stream_, message, asio::redirect_error(asio::use_awaitable, ec));
    // A node that refuses a body answers and closes before it has read all: the answer counts.
    if (ec && ec != asio::error::broken_pipe && ec != asio::error::connection_reset) {
      fail(HttpFailure::Kind::broken, "the request could not be sent", ec);
    }
  }

  asio::awaitable<void> receive() {
    beast::flat_buffer buffer;
    http::response_parser<http::buffer_body> parser;
    parser.header_limit(kHeadBytesMax);
    parser.body_limit(boost::none);
    parser.skip(request_.method == "HEAD");
    error_code ec;
    stream_.expires_after(request_.timeout);
    co_await http::async_read_header(stream_, buffer, parser,
                                     asio::redirect_error(asio::use_awaitable, ec));
    if (ec) fail(HttpFailure::Kind::broken, "no answer", ec);
    on_head_(head_of(parser.get()));
    std::vector<char> piece(kPieceBytes);
    while (!parser.is_done()) {
      auto& body = parser.get().body();
      body.data = piece.data();
      body.size = piece.size();
      stream_.expires_after(request_.timeout);
      co_await http::async_read_some(stream_, buffer, parser,
                                     asio::redirect_error(asio::use_awaitable, ec));
      const std::size_t length = piece.size() - body.size;
      if (length > 0) on_body_(std::string_view(piece.data(), length));
      if (ec && ec != http::error::need_buffer) {
        fail(HttpFailure::Kind::broken, "the answer breaks off", ec);
      }
    }
  }

  static HttpHead head_of(const http::response<http::buffer_body>& message) {
    HttpHead head;
    head.status = message.result_int();
    head.reason = std::string(message.reason());
    for (const auto& field : message) {
      head.headers.emplace_back(field.name_string(), field.value());
    }
    return head;
  }

  const HttpRequest& request_;
  const std::function<void(const HttpHead&)>& on_head_;
  const std::function<void(std::string_view)>& on_body_;
  Stream stream_;
};

}  // namespace

std::optional<std::string_view> HttpHead::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (beast::iequals(key, name)) return value;
  }
  return std::nullopt;
}

void exchange(const HttpRequest& request, const std::function<void(const HttpHead&)>& on_head,
              const std::function<void(std::string_view)>& on_body) {
  asio::io_context io(1);
  Exchange exchange(request, on_head, on_body, io);
  std::exception_ptr failure;
  asio::co_spawn(io, exchange.run(), [&](const std::exception_ptr& e) { failure = e; });
  io.run();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace rp::tools
