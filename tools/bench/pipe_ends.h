#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "pipe/io_thread.h"
#include "pipe/pipe.h"
#include "pipe/tls.h"

/// Both ends of a pipe with nothing around them: no registry, no reconnect.
namespace rp::bench {

std::shared_ptr<const pipe::TlsContext> tls_of(const std::filesystem::path& identity,
                                               certs::Role role);

/// Accepts pipes for ever and lets `target` answer their calls. References outlive the thread.
boost::asio::awaitable<void> serve_pipes(boost::asio::ip::tcp::acceptor acceptor,
                                         pipe::IoThread& thread,
                                         std::shared_ptr<const pipe::TlsContext> tls,
                                         pipe::EventTarget& target);

/// What becomes of one dialled pipe; each is told on the I/O thread.
struct DialledPipe {
  std::function<void(std::shared_ptr<pipe::EventTarget> peer)> opened;
  std::function<void(const std::string& why)> ended;
};

/// Dials, holds one pipe, and returns when it has ended.
boost::asio::awaitable<void> hold_pipe(boost::asio::ip::tcp::endpoint server,
                                       pipe::IoThread& thread,
                                       std::shared_ptr<const pipe::TlsContext> tls,
                                       DialledPipe told);

/// For co_spawn: ends the program when a coroutine throws.
void rethrow(std::exception_ptr thrown);

}  // namespace rp::bench
