// What is asked of topics and subscriptions.
#include <set>

#include "handlers/linger/linger_call.h"
#include "handlers/linger/message_options.h"
#include "handlers/sdk/json_text.hpp"
#include "pipe/percent.h"

namespace rp::handlers::linger {
namespace {

using Subscriptions = std::vector<queue::Subscription>;

/// Which channels had no room, as a list for a header.
std::string refused_names(const queue::Published& published) {
  std::string names;
  for (const auto& error : published.refused) {
    names.append(names.empty() ? "" : ", ")
        .append(pipe::percent_encoded(error.channel, pipe::kUnreservedMarks));
  }
  return names;
}

// The most of a header's value on the wire.
constexpr std::size_t kHeaderBytesMax = 8'192;

}  // namespace

void LingerCall::channel_topics() {
  face_->engine.subscriptions(
      "", route_.channel, answered_by<Subscriptions>([](LingerCall& call, const auto& found) {
        std::set<std::string> topics;
        for (const auto& subscription : found) topics.insert(subscription.topic);
        call.answer_json(Object{
            {"topics",
             Json::from_text(Json(std::vector<std::string>(topics.begin(), topics.end())).text())}}
                             .text());
      }));
}

void LingerCall::topic_channels() {
  face_->engine.subscriptions(route_.topic, "",
                              answered_by<Subscriptions>([](LingerCall& call, const auto& found) {
                                std::vector<std::string> channels;
                                for (const auto& subscription : found)
                                  channels.push_back(subscription.channel);
                                call.answer_json(Object{{"channels", channels}}.text());
                              }));
}

void LingerCall::list_topics() {
  face_->engine.topics(
      answered_by<std::vector<std::string>>([](LingerCall& call, const auto& topics) {
        call.answer_json(Object{{"topics", topics}}.text());
      }));
}

void LingerCall::subscribe() {
  auto subscription = read_subscription(parameters_);
  if (!subscription) return refuse(subscription.error());
  subscription->topic = route_.topic;
  subscription->channel = route_.channel;
  auto subscribe = [self = shared_from_this(), subscription = std::move(*subscription)]() mutable {
    self->face_->engine.subscribe(std::move(subscription), self->answered_by_nothing());
  };
  const auto* const dead = parameters_.find("dead");
  if (dead == nullptr) return subscribe();
  name_dead_channel(*dead, std::move(subscribe));
}

void LingerCall::unsubscribe() {
  face_->engine.unsubscribe(route_.topic, route_.channel,
                            answered_by<bool>([](LingerCall& call, bool) {
                              call.answer(call.face_->answers.no_content());
                            }));
}

void LingerCall::publish() {
  auto publication = read_publication(parameters_);
  if (!publication) return refuse(publication.error());
  auto content = take_content();
  const auto wrong = refuse_body(content.body.size());
  publication->body = std::move(content.body);
  publication->content_type = std::move(content.type);
  const bool all = publication->all_or_nothing;
  face_->engine.publish(
      route_.topic, std::move(*publication),
      [self = shared_from_this(), wrong, all](queue::Result<queue::Published> published) {
        auto& call = *self;
        // The engine looks at the body only if there is somebody to read it, and so does Linger.
        const bool bad_body =
            !published && published.error().code == queue::Errc::bad_argument && wrong;
        if (bad_body) return call.refuse(*wrong);
        if (!published) {
          call.answer(call.face_->answers.failure(published.error()));
          return;
        }
        if (all && !published->refused.empty()) return call.refuse(refused(published->refused[0]));
        auto answer = call.face_->answers.json(202, Json(published->taken).text());
        auto names = refused_names(*published);
        if (names.size() > kHeaderBytesMax) names.resize(names.rfind(',', kHeaderBytesMax));
        if (!names.empty()) answer.head.headers.push_back({"x-linger-refused", std::move(names)});
        call.answer(std::move(answer));
      });
}

}  // namespace rp::handlers::linger
