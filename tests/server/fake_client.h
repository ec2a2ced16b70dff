#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipe/event.h"

namespace rp::server {

/// A connected client that notes the events it gets and answers each with its own name.
class FakeClient final : public pipe::EventTarget {
 public:
  explicit FakeClient(std::string name = "client") : name_(std::move(name)) {}

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& /*body*/,
                                            const pipe::Origin& /*origin*/,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    nouns.push_back(event.noun);
    sink->reply({}, std::string(name_));
    return std::make_shared<Control>();
  }

  std::vector<std::string> nouns;

 private:
  class Control final : public pipe::CallControl {
   public:
    void cancel() override {}
    void consumed(std::size_t) override {}
  };

  std::string name_;
};

/// Keeps the one answer that it gets.
class KeptAnswer final : public pipe::ReplySink {
 public:
  void reply(pipe::ReplyHead&&, std::string&& body) override { replied = std::move(body); }
  void begin(pipe::ReplyHead&&) override {}
  void data(std::string) override {}
  void end() override {}
  void fail(pipe::Failure failure) override { failed = std::move(failure); }

  std::optional<std::string> replied;
  std::optional<pipe::Failure> failed;
};

}  // namespace rp::server
