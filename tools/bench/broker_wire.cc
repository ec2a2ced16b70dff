#include "tools/bench/broker_wire.h"

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <vector>

namespace rp::bench {
namespace {

std::optional<std::string_view> line_of(std::string_view input) {
  const auto end = input.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  return input.substr(0, end);
}

std::size_t number(std::string_view digits) {
  std::size_t value = 0;
  const auto end = digits.data() + digits.size();
  if (std::from_chars(digits.data(), end, value).ptr != end || digits.empty()) {
    throw std::runtime_error("a number was expected: " + std::string(digits));
  }
  return value;
}

[[noreturn]] void unexpected(std::string_view input) {
  throw std::runtime_error("unexpected answer: " + std::string(input.substr(0, 200)));
}

/// The HTTP interface of this project's server node.
class HttpWire final : public BrokerWire {
 public:
  std::string put(std::string_view body) override {
    return "POST /channels/bench HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
  }
  std::string take() override {
    return "GET /channels/bench?nowait HTTP/1.1\r\nHost: localhost\r\n\r\n";
  }
  std::string acknowledge(std::string_view handle) override {
    return "DELETE /messages/" + std::string(handle) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  }
  std::optional<BrokerReply> read(Word word, std::string_view input) const override {
    const auto head_end = input.find("\r\n\r\n");
    if (head_end == std::string_view::npos) return std::nullopt;
    const auto head = input.substr(0, head_end + 2);
    const auto status = number(head.substr(9, 3));
    BrokerReply reply;
    if (const auto length = header(head, "Content-Length: ")) reply.body_bytes = number(*length);
    reply.bytes = head_end + 4 + reply.body_bytes;
    if (input.size() < reply.bytes) return std::nullopt;
    const auto expected = word == Word::put ? 202U : word == Word::take ? 200U : 204U;
    reply.ok = status == expected;
    reply.empty = word == Word::take && status == 204;
    if (!reply.ok && !reply.empty) unexpected(input);
    if (reply.ok && word == Word::take) reply.handle = header(head, "x-linger-msg-id: ").value();
    return reply;
  }

 private:
  static std::optional<std::string_view> header(std::string_view head, std::string_view name) {
    const auto at = head.find(name);
    if (at == std::string_view::npos) return std::nullopt;
    return line_of(head.substr(at + name.size()));
  }
};

class BeanstalkWire final : public BrokerWire {
 public:
  std::string put(std::string_view body) override {
    return "put 0 0 60 " + std::to_string(body.size()) + "\r\n" + std::string(body) + "\r\n";
  }
  std::string take() override { return "reserve-with-timeout 0\r\n"; }
  std::string acknowledge(std::string_view handle) override {
    return "delete " + std::string(handle) + "\r\n";
  }
  std::optional<BrokerReply> read(Word word, std::string_view input) const override {
    const auto line = line_of(input);
    if (!line) return std::nullopt;
    BrokerReply reply;
    reply.bytes = line->size() + 2;
    if (word == Word::take && line->starts_with("RESERVED ")) {
      const auto handle = line->substr(9, line->find(' ', 9) - 9);
      reply.handle = handle;
      reply.body_bytes = number(line->substr(10 + handle.size()));
      reply.bytes += reply.body_bytes + 2;
      if (input.size() < reply.bytes) return std::nullopt;
    }
    reply.empty = *line == "TIMED_OUT" || *line == "DEADLINE_SOON";
    reply.ok = !reply.handle.empty() || line->starts_with("INSERTED ") || *line == "DELETED";
    if (!reply.ok && !reply.empty) unexpected(input);
    return reply;
  }
};

/// Redis' serialization protocol, as far as these commands answer in it.
class RedisWire : public BrokerWire {
 protected:
  static std::string command(std::initializer_list<std::string_view> words) {
    std::string text = "*" + std::to_string(words.size()) + "\r\n";
    for (const auto word : words) {
      text += "$" + std::to_string(word.size()) + "\r\n" + std::string(word) + "\r\n";
    }
    return text;
  }

  /// Appends the strings of one value to `strings`; false while it is incomplete. A null is no
  /// string.
  static bool read_value(std::string_view& input, std::vector<std::string_view>& strings) {
    const auto line = line_of(input);
    if (!line || line->empty()) return false;
    const char type = line->front();
    const auto rest = line->substr(1);
    input.remove_prefix(line->size() + 2);
    if (type == '-') throw std::runtime_error("Redis: " + std::string(rest));
    if (type == '+' || type == ':') {
      strings.push_back(rest);
      return true;
    }
    if (rest == "-1") return true;
    const std::size_t size = number(rest);
    if (type == '$') {
      if (input.size() < size + 2) return false;
      strings.push_back(input.substr(0, size));
      input.remove_prefix(size + 2);
      return true;
    }
    for (std::size_t i = 0; i < size; ++i) {
      if (!read_value(input, strings)) return false;
    }
    return true;
  }
};

/// A list, and a second one that holds what is being worked on.
class RedisListWire final : public RedisWire {
 public:
  explicit RedisListWire(std::size_t connection) : work_("work-" + std::to_string(connection)) {}

  std::string put(std::string_view body) override { return command({"LPUSH", "bench", body}); }
  std::string take() override { return command({"LMOVE", "bench", work_, "RIGHT", "LEFT"}); }
  std::string acknowledge(std::string_view handle) override {
    return command({"LREM", work_, "1", handle});
  }
  std::optional<BrokerReply> read(Word word, std::string_view input) const override {
    std::vector<std::string_view> strings;
    auto rest = input;
    if (!read_value(rest, strings)) return std::nullopt;
    BrokerReply reply;
    reply.bytes = input.size() - rest.size();
    reply.empty = strings.empty();
    reply.ok = !strings.empty();
    if (word == Word::take && reply.ok) {
      reply.handle = strings[0];
      reply.body_bytes = strings[0].size();
    }
    return reply;
  }

 private:
  const std::string work_;
};

/// A stream with a consumer group; what is acknowledged is deleted in the same step.
class RedisStreamWire final : public RedisWire {
 public:
  explicit RedisStreamWire(std::size_t connection) : name_("c" + std::to_string(connection)) {}

  std::string put(std::string_view body) override {
    return command({"XADD", "bench", "*", "b", body});
  }
  std::string take() override {
    return command({"XREADGROUP", "GROUP", "g", name_, "COUNT", "1", "STREAMS", "bench", ">"});
  }
  std::string acknowledge(std::string_view handle) override {
    return command({"XACK", "bench", "g", handle}) + command({"XDEL", "bench", handle});
  }
  std::optional<BrokerReply> read(Word word, std::string_view input) const override {
    std::vector<std::string_view> strings;
    auto rest = input;
    if (!read_value(rest, strings)) return std::nullopt;
    if (word == Word::acknowledge && !read_value(rest, strings)) return std::nullopt;
    BrokerReply reply;
    reply.bytes = input.size() - rest.size();
    reply.empty = strings.empty();
    reply.ok = !strings.empty();
    if (word == Word::take && reply.ok) {  // the stream, the entry, its field, its value
      reply.handle = strings.at(1);
      reply.body_bytes = strings.at(3).size();
    }
    return reply;
  }

 private:
  const std::string name_;
};

}  // namespace

std::unique_ptr<BrokerWire> make_wire(std::string_view broker, std::size_t connection) {
  if (broker == "restpipe") return std::make_unique<HttpWire>();
  if (broker == "beanstalkd") return std::make_unique<BeanstalkWire>();
  if (broker == "redis-list") return std::make_unique<RedisListWire>(connection);
  if (broker == "redis-stream") return std::make_unique<RedisStreamWire>(connection);
  throw std::invalid_argument("unknown broker " + std::string(broker));
}

}  // namespace rp::bench
