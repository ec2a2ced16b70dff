#include "node/observed_calls.h"

#include <atomic>
#include <utility>

#include "pipe/log.h"

namespace rp::node {
namespace {

/// Passes everything on and notes the end, which may also be that nobody waits any more.
class ObservedSink final : public pipe::ReplySink {
 public:
  ObservedSink(std::shared_ptr<pipe::ReplySink> sink, Instruments& instruments,
               std::string request_id)
      : sink_(std::move(sink)), instruments_(instruments), request_id_(std::move(request_id)) {
    instruments_.call_started();
  }
  ~ObservedSink() override {
    if (!ended_) finish(false);
  }

  void reply(pipe::ReplyHead&& head, std::string&& body) override {
    finish(true);
    if (log_enabled(LogLevel::debug)) {
      log(LogLevel::debug, "calls", "Reply received",
          {{"request_id", request_id_}, {"code", head.code}, {"bytes", body.size()}});
    }
    sink_->reply(std::move(head), std::move(body));
  }
  void begin(pipe::ReplyHead&& head) override { sink_->begin(std::move(head)); }
  void data(std::string piece) override { sink_->data(std::move(piece)); }
  void end() override {
    finish(true);
    sink_->end();
  }
  void fail(pipe::Failure failure) override {
    finish(false);
    sink_->fail(std::move(failure));
  }
  void body_consumed(std::size_t bytes) override { sink_->body_consumed(bytes); }

 private:
  void finish(bool ok) {
    ended_ = true;
    instruments_.call_finished(pipe::Clock::now() - started_at_, ok);
  }

  const std::shared_ptr<pipe::ReplySink> sink_;
  Instruments& instruments_;
  const std::string request_id_;
  const pipe::Clock::time_point started_at_ = pipe::Clock::now();
  bool ended_ = false;
};

}  // namespace

std::shared_ptr<pipe::CallControl> ObservedPeer::submit(pipe::Event&& event, std::string&& body,
                                                        const pipe::Origin& origin,
                                                        std::shared_ptr<pipe::ReplySink>&& sink) {
  if (log_enabled(LogLevel::debug)) {
    log(LogLevel::debug, "calls", "Event emitted",
        {{"request_id", event.request_id},
         {"verb", event.verb},
         {"noun", event.noun},
         {"bytes", body.size()}});
  }
  auto observed = std::make_shared<ObservedSink>(std::move(sink), instruments_, event.request_id);
  return peer_.submit(std::move(event), std::move(body), std::move(origin), std::move(observed));
}

std::shared_ptr<pipe::CallControl> LoggedHandlers::submit(pipe::Event&& event, std::string&& body,
                                                          const pipe::Origin& origin,
                                                          std::shared_ptr<pipe::ReplySink>&& sink) {
  if (log_enabled(LogLevel::debug)) {
    log(LogLevel::debug, "calls", "Event received",
        {{"request_id", event.request_id},
         {"peer", origin.node},
         {"verb", event.verb},
         {"noun", event.noun},
         {"bytes", body.size()}});
  }
  return handlers_.submit(std::move(event), std::move(body), std::move(origin), std::move(sink));
}

}  // namespace rp::node
