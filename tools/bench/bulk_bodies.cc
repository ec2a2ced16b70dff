#include "tools/bench/bulk_bodies.h"

#include <utility>

#include "tools/bench/bulk_main.h"

namespace rp::bench {
namespace {

pipe::Event bulk_event(const char* noun) {
  pipe::Event event;
  event.verb = "post";
  event.noun = noun;
  event.request_id = "bulk";
  return event;
}

/// How much of an endless body may be sent: always as much as the window allows is on its way.
class Window {
 public:
  /// So many bytes have arrived; calls `send(piece)` for those that may follow.
  template <class Send>
  void consumed(std::size_t bytes, Send send) {
    unconsumed_ -= bytes;
    while (unconsumed_ + kPieceBytes <= pipe::kStreamWindowBytes) {
      unconsumed_ += kPieceBytes;
      send(std::string(kPieceBytes, 'b'));
    }
  }

 private:
  std::size_t unconsumed_ = 0;
};

class EndlessReply final : public pipe::CallControl {
 public:
  explicit EndlessReply(std::shared_ptr<pipe::ReplySink> sink) : sink_(std::move(sink)) {}

  void start() {
    sink_->begin({});
    consumed(0);
  }
  void cancel() override { sink_.reset(); }
  void consumed(std::size_t bytes) override {
    window_.consumed(bytes, [this](std::string piece) {
      if (sink_) sink_->data(std::move(piece));
    });
  }

 private:
  std::shared_ptr<pipe::ReplySink> sink_;
  Window window_;
};

class EndlessTaker final : public pipe::CallControl {
 public:
  explicit EndlessTaker(std::shared_ptr<pipe::ReplySink> sink) : sink_(std::move(sink)) {}

  void cancel() override { sink_.reset(); }
  void consumed(std::size_t) override {}
  void body_data(std::string piece) override {
    if (sink_) sink_->body_consumed(piece.size());
  }
  void body_end() override {
    if (const auto sink = std::exchange(sink_, nullptr)) sink->reply({}, {});
  }

 private:
  std::shared_ptr<pipe::ReplySink> sink_;
};

/// The caller's end of either transfer. The session holds the call, and the call this sink: it must
/// not hold the call in its turn.
class Transfer : public pipe::ReplySink, public std::enable_shared_from_this<Transfer> {
 public:
  Transfer(PiecePassed passed, BulkFailed failed)
      : passed_(std::move(passed)), failed_(std::move(failed)) {}

  virtual void start(pipe::EventTarget& peer) = 0;

  void reply(pipe::ReplyHead&&, std::string&&) override { failed_("it ended"); }
  void begin(pipe::ReplyHead&&) override {}
  void data(std::string) override {}
  void end() override { failed_("it ended"); }
  void fail(pipe::Failure failure) override { failed_(failure.detail); }

 protected:
  /// Counts what has passed. Null once the transfer is over.
  std::shared_ptr<pipe::CallControl> control_after(std::size_t bytes) {
    auto control = control_.lock();
    if (!control || passed_(bytes)) return control;
    control->cancel();
    control_.reset();
    return nullptr;
  }
  void submit(pipe::EventTarget& peer, pipe::Event event) {
    control_ = peer.submit(std::move(event), {}, {}, shared_from_this());
  }

 private:
  const PiecePassed passed_;
  const BulkFailed failed_;
  std::weak_ptr<pipe::CallControl> control_;  // empty before submit() and once it is over
};

class Reader final : public Transfer {
 public:
  using Transfer::Transfer;
  void start(pipe::EventTarget& peer) override { submit(peer, bulk_event("down")); }
  void data(std::string piece) override {
    if (const auto control = control_after(piece.size())) control->consumed(piece.size());
  }
};

class Writer final : public Transfer {
 public:
  using Transfer::Transfer;
  void start(pipe::EventTarget& peer) override {
    pipe::Event event = bulk_event("up");
    event.body_follows = true;
    submit(peer, std::move(event));
    body_consumed(0);
  }
  void body_consumed(std::size_t bytes) override {
    const auto control = control_after(bytes);
    if (!control) return;
    window_.consumed(bytes, [&](std::string piece) { control->body_data(std::move(piece)); });
  }

 private:
  Window window_;
};

}  // namespace

std::shared_ptr<pipe::CallControl> answer_bulk(const pipe::Event& event,
                                               std::shared_ptr<pipe::ReplySink>& sink) {
  if (event.noun == "up") return std::make_shared<EndlessTaker>(std::move(sink));
  if (event.noun != "down") return nullptr;
  auto reply = std::make_shared<EndlessReply>(std::move(sink));
  reply->start();
  return reply;
}

void read_bulk(pipe::EventTarget& peer, PiecePassed passed, BulkFailed failed) {
  std::make_shared<Reader>(std::move(passed), std::move(failed))->start(peer);
}

void write_bulk(pipe::EventTarget& peer, PiecePassed passed, BulkFailed failed) {
  std::make_shared<Writer>(std::move(passed), std::move(failed))->start(peer);
}

}  // namespace rp::bench
