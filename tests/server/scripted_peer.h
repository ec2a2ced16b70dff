#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipe/event.h"

namespace rp::server {

/// What a caller did with one event that it submitted.
class NotedControl final : public pipe::CallControl {
 public:
  void cancel() override { cancelled = true; }
  void consumed(std::size_t bytes) override { consumed_bytes += bytes; }
  void body_data(std::string piece) override { body += piece; }
  void body_end() override { body_ended = true; }

  bool cancelled = false;
  bool body_ended = false;
  std::size_t consumed_bytes = 0;
  std::string body;
};

/// A node that keeps what it is asked until the test answers.
class ScriptedPeer final : public pipe::EventTarget {
 public:
  struct Call {
    pipe::Event event;
    std::string body;
    pipe::Origin origin;
    std::shared_ptr<pipe::ReplySink> sink;
    std::shared_ptr<NotedControl> control;
  };

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    auto control = std::make_shared<NotedControl>();
    calls.push_back(
        {std::move(event), std::move(body), std::move(origin), std::move(sink), control});
    if (at_once) calls.back().sink->reply({}, std::string(*at_once));
    return control;
  }

  std::vector<Call> calls;
  std::optional<std::string> at_once;  ///< the body of an answer before submit() returns
};

/// Keeps all that a caller is told.
class NotedAnswer final : public pipe::ReplySink {
 public:
  void reply(pipe::ReplyHead&& h, std::string&& b) override {
    head = std::move(h);
    body = std::move(b);
    ended = true;
  }
  void begin(pipe::ReplyHead&& h) override { head = std::move(h); }
  void data(std::string piece) override {
    body += piece;
    largest_piece = std::max(largest_piece, piece.size());
  }
  void end() override { ended = true; }
  void fail(pipe::Failure f) override { failed = std::move(f); }
  void body_consumed(std::size_t bytes) override { consumed_bytes += bytes; }

  std::optional<pipe::ReplyHead> head;
  std::string body;
  bool ended = false;
  std::size_t largest_piece = 0;
  std::size_t consumed_bytes = 0;
  std::optional<pipe::Failure> failed;
};

}  // namespace rp::server
