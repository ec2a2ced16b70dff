#include "tools/bench/returning_client.h"

#include <algorithm>
#include <netinet/in.h>
#include <random>
#include <utility>

#include <boost/asio/detail/socket_option.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tools/bench/pipe_ends.h"

namespace rp::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using pipe::error_code;

// As in client/upstream.cc.
constexpr std::chrono::seconds kHealthyAfter{30};
constexpr std::chrono::seconds kConnectTimeout{10};
constexpr std::chrono::milliseconds kStayAwayMax{60'000};

// The port is chosen by connect(): else thousands of sockets could not share the ports.
using BindAddressOnly = asio::detail::socket_option::boolean<IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT>;

}  // namespace

ReturningClient::ReturningClient(Options options, pipe::IoThread& thread, ClientWatch& watch)
    : options_(std::move(options)),
      thread_(thread),
      watch_(watch),
      backoff_({}, std::random_device{}()),
      pause_(thread.context()) {}

asio::awaitable<void> ReturningClient::run() {
  for (;;) {
    const auto started_at = pipe::Clock::now();
    stay_away_ = {};
    co_await connect_once();
    if (pipe::Clock::now() - started_at >= kHealthyAfter) backoff_.reset();
    last_pause_ = std::max(backoff_.next(), stay_away_);
    pause_.expires_after(last_pause_);
    error_code ignored;
    co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

void ReturningClient::cut() {
  if (pipe_ && pipe_->has_link()) pipe_->drop_link(pipe::Errc::stopped);
}

asio::awaitable<void> ReturningClient::connect_once() {
  tcp::socket socket(thread_.context());
  const error_code ec = co_await dial(socket);
  if (ec) {
    watch_.attempt_failed();
    co_return;
  }
  co_await serve(std::move(socket));
}

asio::awaitable<error_code> ReturningClient::dial(tcp::socket& socket) {
  error_code ec;
  socket.open(options_.server.protocol(), ec);
  if (!ec) socket.set_option(BindAddressOnly(true), ec);
  if (!ec) socket.bind(tcp::endpoint(options_.source, 0), ec);
  if (ec) co_return ec;
  asio::steady_timer timeout(thread_.context(), kConnectTimeout);
  timeout.async_wait([&socket](error_code cancelled) {
    if (!cancelled) socket.cancel(cancelled);
  });
  co_await socket.async_connect(options_.server, asio::redirect_error(asio::use_awaitable, ec));
  co_return ec;
}

asio::awaitable<void> ReturningClient::serve(tcp::socket socket) {
  opened_ = false;
  pipe::Handshake handshake(std::move(socket), thread_, options_.tls, "localhost");
  error_code why = co_await greet(handshake);
  stay_away_ = std::min(handshake.greeting().retry_after(), kStayAwayMax);
  if (why) {
    watch_.attempt_failed();
    co_return;
  }
  settle_session(handshake);
  const std::uint64_t count = handshake.greeting().peer().received_frames;
  pipe::Connection connection = handshake.release();
  why = co_await pipe_->carry(std::move(connection), count, std::nullopt);
  stay_away_ = std::min(pipe_->retry_after(), kStayAwayMax);
  link_lost(why);
}

asio::awaitable<error_code> ReturningClient::greet(pipe::Handshake& handshake) {
  const auto timeout = bench_options().handshake_timeout;
  if (auto ec = co_await handshake.secure(pipe::Clock::now() + timeout)) co_return ec;
  pipe::Hello hello = pipe::make_hello(bench_options().self);
  if (pipe_) {
    hello.session_id = session_id_;
    hello.resume_secret = secret_;
    hello.received_frames = pipe_->received_frames();
  }
  std::string frame = encode_hello(hello);
  if (auto ec = co_await handshake.say(std::move(frame))) co_return ec;
  co_return co_await handshake.hear(pipe::Clock::now() + timeout);
}

void ReturningClient::settle_session(pipe::Handshake& handshake) {
  const pipe::Hello& server = handshake.greeting().peer();
  if (!pipe_ || server.session_id != session_id_) {
    end_session(pipe::Errc::session_lost);
    pipe::PipeOwner& self = *this;
    pipe_ = std::make_unique<pipe::Pipe>(pipe::Session::Side::dialler, handshake.peer(), server,
                                         thread_, bench_options(), no_handlers(), self);
  }
  session_id_ = server.session_id;
  secret_ = server.resume_secret;
}

void ReturningClient::link_lost(error_code why) {
  if (opened_) watch_.went_down();
  if (session_id_.empty() || pipe_->is_over()) return end_session(why);
  if (opened_ && pipe::Clock::now() - opened_at_ >= last_pause_) backoff_.reset();
}

void ReturningClient::end_session(error_code why) {
  session_id_.clear();
  secret_.clear();
  if (const auto ended = std::move(pipe_)) ended->end(why);
}

void ReturningClient::pipe_opened(pipe::Pipe& pipe) {
  opened_ = true;
  opened_at_ = pipe::Clock::now();
  watch_.came_up(pipe.resumes() > 0);
}

}  // namespace rp::bench
