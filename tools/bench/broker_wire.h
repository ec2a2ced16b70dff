#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

/// The few words of each message queue that a full cycle needs: put, take, acknowledge.
namespace rp::bench {

enum class Word { put, take, acknowledge };

/// What a queue answered to one word.
struct BrokerReply {
  std::size_t bytes = 0;  ///< of the input that it took
  bool ok = false;
  bool empty = false;          ///< nothing was there to take
  std::string handle{};        ///< after a take: what acknowledges the message
  std::size_t body_bytes = 0;  ///< after a take
};

/// One connection's side of a queue's protocol; no I/O of its own.
class BrokerWire {
 public:
  virtual ~BrokerWire() = default;

  virtual std::string put(std::string_view body) = 0;
  virtual std::string take() = 0;
  virtual std::string acknowledge(std::string_view handle) = 0;
  /// The reply at the front of `input`; nothing while it is incomplete. Throws for what is none.
  virtual std::optional<BrokerReply> read(Word word, std::string_view input) const = 0;
};

/// The names that make_wire() takes, for a command line.
constexpr std::string_view kBrokers[] = {"restpipe", "beanstalkd", "redis-list", "redis-stream"};

/// `connection` tells those apart that one queue wants to know by name.
std::unique_ptr<BrokerWire> make_wire(std::string_view broker, std::size_t connection);

}  // namespace rp::bench
