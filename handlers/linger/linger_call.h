#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "handlers/linger/linger_target.h"
#include "handlers/linger/parameters.h"
#include "handlers/linger/route.h"
#include "pipe/event.h"
#include "queue/engine.h"

namespace rp::handlers::linger {

/// One request of the API on its way to the engine and back.
///
/// What it asks runs on the thread that brings the request, or the end of its body, unless that
/// body is long. Answers come from the engine's thread, those for which it need not be asked from
/// where the request runs. A message that is handed to a caller who has left meanwhile goes back at
/// once, its delivery uncounted.
class LingerCall final : public pipe::CallControl, public std::enable_shared_from_this<LingerCall> {
 public:
  LingerCall(std::shared_ptr<Face> face, pipe::Event event, std::string body,
             std::shared_ptr<pipe::ReplySink> sink);
  ~LingerCall() override;

  /// From submit(), once.
  void launch();
  /// Soon it is answered that nothing is ready, unless a message is on its way already.
  void stop_waiting();

  void cancel() override;
  void consumed(std::size_t /*bytes*/) override {}
  void body_data(std::string piece) override;
  void body_end() override;

 private:
  /// What a method of a resource does.
  struct Operation {
    Resource resource;
    std::string_view verb;
    void (LingerCall::*handle)();
    std::string_view accepts;  // names of parameters, divided by blanks; "*" for any
  };
  using Deliveries = std::vector<queue::Delivery>;

  /// Here, or on the thread for long requests.
  void run();
  void run_here();

  std::optional<Route> find_its_route();
  bool read_parameters(const Operation& operation);
  const Operation* its_operation() const;

  // channel_requests.cc
  void list_channels();
  void put();
  void put_message(queue::NewMessage message);
  void take();
  void drain();
  void channel_stats();
  void peek();
  void pause();
  void resume();
  void redrive();
  void settings();
  void set_settings();
  void reset_settings();
  void name_dead_channel(std::string dead, std::function<void()> then);

  // batch_requests.cc
  void put_batch();
  void take_batch();
  void ack_batch();

  // topic_requests.cc
  void channel_topics();
  void subscribe();
  void unsubscribe();
  void list_topics();
  void publish();
  void topic_channels();

  // message_requests.cc
  void remove();
  void touch();
  void nack();
  std::optional<queue::MessageId> its_id() const;
  /// The lease in the parameters; nothing, and the call is answered, where it is wrong.
  std::optional<queue::Lease> its_lease();
  void answer_status(const queue::Result<queue::Engine::Answers>& result);

  // stats_request.cc
  void stats();

  /// Takes what `options` say, waiting as the request asks, and hands it to `tell`.
  void take_some(queue::TakeOptions options, std::function<Answer(Deliveries)> tell);
  /// How long it may wait; nothing, and the call is answered, where a parameter is wrong.
  std::optional<queue::Milliseconds> time_to_wait();
  void on_taken(queue::Result<Deliveries> taken, const std::function<Answer(Deliveries)>& tell);
  void give_back(const std::vector<queue::Lease>& leases);

  /// A message from the request: its body and its type.
  struct Content {
    std::string body;
    std::string type;
  };
  Content take_content();
  /// The Content-Type with its parameters; "" for none.
  std::string_view content_type() const;
  std::string_view header(std::string_view name) const;

  /// False when the caller has left.
  bool answer(Answer answer);
  /// Instead of an answer of the API, unless the caller has left.
  void fail(pipe::Failure why);
  /// The right to speak to the caller; null for everyone but the first.
  std::shared_ptr<pipe::ReplySink> take_sink();
  void refuse(const Refused& why) { answer(face_->answers.error(why)); }
  void refuse(std::string reason) { refuse(Refused{400, std::move(reason)}); }
  void answer_json(std::string text, std::uint16_t status = 200) {
    answer(face_->answers.json(status, std::move(text)));
  }
  bool is_over() const;

  /// A completion that keeps this call alive, answers errors, and gives `tell` the value.
  template <class T, class Tell>
  queue::Completion<T> answered_by(Tell tell) {
    return [self = shared_from_this(), tell = std::move(tell)](queue::Result<T> result) mutable {
      if (!result) {
        self->answer(self->face_->answers.failure(result.error()));
      } else if constexpr (std::is_void_v<T>) {
        tell(*self);
      } else {
        tell(*self, std::move(*result));
      }
    };
  }
  queue::Completion<void> answered_by_nothing() {
    return answered_by<void>(
        [](LingerCall& call) { call.answer(call.face_->answers.no_content()); });
  }

  const std::shared_ptr<Face> face_;
  pipe::Event event_;
  std::string body_;
  std::size_t gathered_bytes_ = 0;  // of the budget, for a body that follows
  Route route_;
  Parameters parameters_;
  pipe::Clock::time_point asked_at_{};  // for messages

  mutable std::mutex mutex_;               // guards what follows
  std::shared_ptr<pipe::ReplySink> sink_;  // null once the call is over
  queue::Waiter waiter_;
  bool waits_ = false;
};

}  // namespace rp::handlers::linger
