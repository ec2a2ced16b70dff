#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace rp::pipe {
class IoThread;
}

namespace rp::rest {

class Exchange;

/// Names a connection across the reuse of its descriptor.
struct ConnectionKey {
  int fd;
  std::uint64_t id;
};

/// The connections of a thread, as the exchanges see them that they wait for.
class ExchangeOwner {
 public:
  virtual ~ExchangeOwner() = default;
  /// Takes what they have to say: Mailbox::ready_ones(), which may become more on the way.
  virtual void deliver_ready() = 0;
  /// The connection's exchange was dropped without an answer.
  virtual void on_orphan(ConnectionKey connection) = 0;
};

/// The way of exchanges to the thread of their connection.
///
/// Outlives its owner when exchanges do; closed, it drops what it is given.
class Mailbox final : public std::enable_shared_from_this<Mailbox> {
 public:
  /// The owner is called on the thread, until close().
  Mailbox(std::shared_ptr<pipe::IoThread> thread, ExchangeOwner& owner,
          std::size_t stream_bytes_max);
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  std::size_t stream_bytes_max() const { return stream_bytes_max_; }

  /// From any thread. What becomes ready on the owner's thread in one turn is delivered at its end.
  void ready(std::shared_ptr<Exchange> exchange);
  void orphan(ConnectionKey connection);

  // For the owner's thread.
  /// The exchanges that became ready.
  std::vector<std::shared_ptr<Exchange>>& ready_ones() { return ready_; }
  void close();

 private:
  const std::shared_ptr<pipe::IoThread> thread_;
  const std::size_t stream_bytes_max_;
  // Touched on the thread only:
  ExchangeOwner* owner_;  ///< null once closed
  std::vector<std::shared_ptr<Exchange>> ready_;
  bool delivers_soon_ = false;
};

}  // namespace rp::rest
