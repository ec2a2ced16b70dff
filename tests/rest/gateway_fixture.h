#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "pipe/event.h"
#include "rest/event_gateway.h"
#include "rest/problem.h"
#include "rest/router.h"
#include "tests/rest/front_end.h"

namespace rp::rest::test {

/// Counts what the gateway tells the target.
class RecordingControl final : public pipe::CallControl {
 public:
  void cancel() override { ++cancelled; }
  void consumed(std::size_t bytes) override { consumed_bytes += bytes; }
  void body_data(std::string piece) override {
    const std::lock_guard lock(mutex_);
    body_ += piece;
  }
  void body_end() override { body_ended = true; }

  /// What has come of a body that follows.
  std::string body() const {
    const std::lock_guard lock(mutex_);
    return body_;
  }
  std::size_t body_bytes() const { return body().size(); }

  std::atomic<int> cancelled{0};
  std::atomic<std::size_t> consumed_bytes{0};
  std::atomic<bool> body_ended{false};
  std::shared_ptr<pipe::ReplySink> sink;  ///< for a call that keeps its own as long as it lives

 private:
  mutable std::mutex mutex_;
  std::string body_;
};

/// One event as a target sees it.
struct Submission {
  pipe::Event event;
  std::string body;
  pipe::Origin origin;
  std::shared_ptr<pipe::ReplySink> sink;
};

/// Answers through a function that the test gives, and remembers the last submission.
class Target final : public pipe::EventTarget {
 public:
  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    Submission submission{std::move(event), std::move(body), std::move(origin), std::move(sink)};
    const auto answer = [this] {
      const std::lock_guard lock(mutex_);
      return answer_;
    }();
    if (answer) answer(submission);
    submissions.put(std::move(submission));
    return control;
  }

  void answer_with(std::function<void(Submission&)> answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }

  Handover<Submission> submissions;
  std::shared_ptr<RecordingControl> control = std::make_shared<RecordingControl>();

 private:
  std::mutex mutex_;
  std::function<void(Submission&)> answer_;
};

/// A front-end that routes /server/ and /client/ to one target, as nodes do.
class EventGatewayTest : public testing::Test {
 protected:
  void serve(GatewayOptions options = {}) {
    gateway_.emplace(std::move(options));
    router_.prefix("/server/", {}, [this](std::shared_ptr<Exchange> exchange) { route(exchange); });
    router_.prefix("/client/", {}, [this](std::shared_ptr<Exchange> exchange) { route(exchange); });
    front_.emplace([this](const std::shared_ptr<Exchange>& exchange) { router_(exchange); });
  }
  void route(const std::shared_ptr<Exchange>& exchange) {
    auto address = parse_event_address(exchange->request().path());
    if (!address) return exchange->respond(to_response(not_found(), exchange->request()));
    gateway_->serve(exchange, *address, target_);
  }
  void reply_with(pipe::ReplyHead head, std::string body) {
    target_.answer_with(
        [head, body](Submission& s) { s.sink->reply(pipe::ReplyHead(head), std::string(body)); });
  }
  void fail_with(pipe::Errc code, std::string detail = "") {
    target_.answer_with([code, detail](Submission& s) { s.sink->fail({code, detail}); });
  }

  Target target_;
  std::optional<EventGateway> gateway_;
  Router router_;
  std::optional<FrontEnd> front_;
};

}  // namespace rp::rest::test
