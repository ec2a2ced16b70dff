#pragma once

#include <string>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

namespace rp::tools {

/// Takes one connection on a free port of 127.0.0.1, reads a request and sends bytes it was given.
class ScriptedServer {
 public:
  /// `answer` is sent as it is and the connection closed; with `hold` it stays open until the peer
  /// leaves. The request's body must have the length that its Content-Length says.
  explicit ScriptedServer(std::string answer, bool hold = false)
      : acceptor_(io_, {boost::asio::ip::address_v4::loopback(), 0}),
        thread_([this, answer = std::move(answer), hold] { serve(answer, hold); }) {}
  ~ScriptedServer() {
    if (!thread_.joinable()) return;
    // Ends an accept() that no client has ended; otherwise nobody takes this connection.
    boost::asio::ip::tcp::socket knock(io_);
    boost::system::error_code ignored;
    knock.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::string address() const {
    return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }

  /// The request as it came; call it after the client has its answer.
  std::string request() {
    if (thread_.joinable()) thread_.join();
    return request_;
  }

 private:
  void serve(const std::string& answer, bool hold) {
    namespace asio = boost::asio;
    boost::system::error_code ec;
    asio::ip::tcp::socket socket(io_);
    acceptor_.accept(socket, ec);
    if (ec) return;
    asio::read_until(socket, asio::dynamic_buffer(request_), "\r\n\r\n", ec);
    const auto head_end = request_.find("\r\n\r\n");
    const auto length = request_.find("Content-Length: ");
    if (length != request_.npos && length < head_end) {
      const std::size_t body = std::stoul(request_.substr(length + 16));
      const std::size_t have = request_.size() - (head_end + 4);
      if (body > have) {
        asio::read(socket, asio::dynamic_buffer(request_), asio::transfer_exactly(body - have), ec);
      }
    }
    asio::write(socket, asio::buffer(answer), ec);
    char byte;
    if (hold) socket.read_some(asio::buffer(&byte, 1), ec);
  }

  boost::asio::io_context io_{1};
  boost::asio::ip::tcp::acceptor acceptor_;
  std::string request_;
  std::thread thread_;
};

}  // namespace rp::tools
