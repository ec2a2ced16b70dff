#include "tests/rest/front_end.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <utility>

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "rest/text.h"

namespace rp::rest::test {
namespace {

using std::chrono::steady_clock;

int milliseconds_until(steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
  return static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
}

int open_socket(const Endpoint& endpoint, int receive_buffer) {
  const int family = endpoint.is_unix() ? AF_UNIX : AF_INET;
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw std::runtime_error("socket");
  if (receive_buffer > 0)
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  int result = -1;
  if (endpoint.is_unix()) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    endpoint.unix_path.copy(address.sun_path, sizeof address.sun_path - 1);
    result = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } else {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    ::inet_pton(AF_INET, endpoint.host.c_str(), &address.sin_addr);
    result = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  if (result != 0) {
    ::close(fd);
    throw std::runtime_error("connect to " + to_string(endpoint));
  }
  return fd;
}

}  // namespace

std::string Answer::header(const std::string& lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? "" : found->second;
}

RawClient::RawClient(const Endpoint& endpoint, int receive_buffer)
    : fd_(open_socket(endpoint, receive_buffer)) {}

RawClient::RawClient(RawClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      received_(std::move(other.received_)),
      ended_(other.ended_) {}

RawClient& RawClient::operator=(RawClient&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(received_, other.received_);
  std::swap(ended_, other.ended_);
  return *this;
}

RawClient::~RawClient() { close(); }

void RawClient::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void RawClient::reset() {
  const struct linger now { 1, 0 };
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

void RawClient::half_close() { ::shutdown(fd_, SHUT_WR); }

void RawClient::send(std::string_view bytes) {
  EXPECT_EQ(send_some(bytes, kPatience), bytes.size());
}

std::size_t RawClient::send_some(std::string_view bytes, std::chrono::milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const auto left = bytes.substr(sent);
    const auto n = ::send(fd_, left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
      continue;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK) return sent;
    pollfd writable{fd_, POLLOUT, 0};
    if (::poll(&writable, 1, milliseconds_until(deadline)) <= 0) return sent;
  }
  return sent;
}

bool RawClient::fill(steady_clock::time_point deadline) {
  if (ended_) return false;
  pollfd readable{fd_, POLLIN, 0};
  if (::poll(&readable, 1, milliseconds_until(deadline)) <= 0) return false;
  std::string buffer(64 * 1024, '\0');
  const auto n = ::recv(fd_, buffer.data(), buffer.size(), 0);
  if (n <= 0) {
    ended_ = true;
    return false;
  }
  received_.append(buffer, 0, static_cast<std::size_t>(n));
  return true;
}

std::optional<std::string> RawClient::read_line() {
  const auto deadline = steady_clock::now() + kPatience;
  for (;;) {
    const auto end = received_.find("\r\n");
    if (end != std::string::npos) {
      auto line = received_.substr(0, end);
      received_.erase(0, end + 2);
      return line;
    }
    if (!fill(deadline)) return std::nullopt;
  }
}

std::string RawClient::read_bytes(std::size_t size) {
  const auto deadline = steady_clock::now() + kPatience;
  while (received_.size() < size && fill(deadline)) {
  }
  auto bytes = received_.substr(0, size);
  received_.erase(0, bytes.size());
  return bytes;
}

std::string RawClient::read_until_closed(std::chrono::milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  while (fill(deadline)) {
  }
  EXPECT_TRUE(ended_) << "the server did not close";
  return std::exchange(received_, "");
}

bool RawClient::closed_within(std::chrono::milliseconds patience) {
  fill(steady_clock::now() + patience);
  return ended_ && received_.empty();
}

void RawClient::read_chunks(Answer& answer) {
  for (;;) {
    const auto line = read_line();
    if (!line) return;
    const auto size = std::strtoul(line->c_str(), nullptr, 16);
    const auto data = read_bytes(size + 2);
    if (data.size() != size + 2) return;
    answer.body.append(data, 0, size);
    if (size == 0) {
      answer.complete = true;
      return;
    }
  }
}

Answer RawClient::read_answer(bool to_head) {
  Answer answer;
  const auto status_line = read_line();
  if (!status_line || status_line->size() < 12) return answer;
  answer.status = std::atoi(status_line->c_str() + 9);
  answer.reason = status_line->size() > 13 ? status_line->substr(13) : "";
  for (auto line = read_line(); line && !line->empty(); line = read_line()) {
    const auto colon = line->find(':');
    std::string name = line->substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), to_lower);
    answer.headers.emplace(name, trimmed(std::string_view(*line).substr(colon + 1)));
  }
  const bool bodyless =
      to_head || answer.status < 200 || answer.status == 204 || answer.status == 304;
  if (bodyless) {
    answer.complete = true;
  } else if (answer.header("transfer-encoding") == "chunked") {
    read_chunks(answer);
  } else if (answer.has("content-length")) {
    const auto size = std::strtoul(answer.header("content-length").c_str(), nullptr, 10);
    answer.body = read_bytes(size);
    answer.complete = answer.body.size() == size;
  } else {
    answer.body = read_until_closed();
    answer.complete = true;
  }
  return answer;
}

std::vector<std::shared_ptr<pipe::IoThread>> running_threads(unsigned count) {
  std::vector<std::shared_ptr<pipe::IoThread>> threads(count);
  for (auto& thread : threads) {
    thread = std::make_shared<pipe::IoThread>();
    thread->start();
  }
  return threads;
}

FrontEnd::FrontEnd(Handler handler, ServerOptions options, unsigned threads)
    : threads_(running_threads(threads)),
      server_(
          [&] {
            if (options.endpoints.empty()) options.endpoints = {{"127.0.0.1", 0, ""}};
            return std::move(options);
          }(),
          std::move(handler), threads_) {
  endpoint_ = server_.start().front();
}

FrontEnd::~FrontEnd() {
  server_.stop();
  for (const auto& thread : threads_) thread->stop();  // exchanges may outlive it
}

Answer FrontEnd::ask(std::string_view request) const {
  auto client = connect();
  client.send(request);
  return client.read_answer(request.starts_with("HEAD "));
}

std::string get(std::string_view path, std::string_view headers) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers) +
         "\r\n";
}

std::string post(std::string_view path, std::string_view body, std::string_view headers) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(headers) + "\r\n" + std::string(body);
}

Response ok(std::string body) { return {{200, "", "text/plain", {}}, std::move(body)}; }

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "rest-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace rp::rest::test
