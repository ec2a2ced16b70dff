// What is asked of one channel.
#include "handlers/linger/items.h"
#include "handlers/linger/linger_call.h"
#include "handlers/linger/message_json.h"
#include "handlers/linger/message_options.h"
#include "handlers/linger/text.h"
#include "handlers/sdk/json_text.hpp"

namespace rp::handlers::linger {
namespace {

// Listed at once unless the request says otherwise.
constexpr std::uint64_t kListed = 100;

std::string settings_json(const queue::ChannelSettings& settings) {
  const auto seconds = [](queue::Milliseconds time) { return Json::from_text(seconds_text(time)); };
  const Object object{
      {"timeout", seconds(settings.visibility)}, {"deliver", settings.deliveries_max},
      {"linger", seconds(settings.retention)},   {"hlm", settings.messages_max},
      {"hlm-bytes", settings.body_bytes_max},    {"dead", settings.dead_channel},
      {"window", seconds(settings.dedup_window)}};
  return object.text();
}

/// Linger's two numbers, or all there are.
std::string stats_json(const queue::ChannelStats& stats, bool all) {
  if (!all) return Object{{"ready", stats.ready}, {"hidden", stats.hidden()}}.text();
  const Object object{{"ready", stats.ready},      {"hidden", stats.hidden()},
                      {"leased", stats.leased},    {"delayed", stats.delayed},
                      {"bytes", stats.body_bytes}, {"waiters", stats.waiters},
                      {"paused", stats.paused}};
  return object.text();
}

}  // namespace

void LingerCall::list_channels() {
  face_->engine.channels(
      answered_by<std::vector<std::string>>([](LingerCall& call, const auto& names) {
        call.answer_json(Object{{"channels", names}}.text());
      }));
}

void LingerCall::put() {
  auto message = read_message(parameters_);
  if (!message) return refuse(message.error());
  auto content = take_content();
  if (const auto wrong = refuse_body(content.body.size())) return refuse(*wrong);
  message->body = std::move(content.body);
  message->content_type = std::move(content.type);
  const auto* const dead = parameters_.find("dead");
  if (dead == nullptr) return put_message(std::move(*message));
  name_dead_channel(*dead, [self = shared_from_this(), message = std::move(*message)]() mutable {
    self->put_message(std::move(message));
  });
}

void LingerCall::put_message(queue::NewMessage message) {
  face_->engine.put(route_.channel, std::move(message),
                    answered_by<queue::Engine::PutDone>([](LingerCall& call, auto done) {
                      const auto object = done.duplicate
                                              ? Object{{"id", done.id}, {"duplicate", true}}
                                              : Object{{"id", done.id}};
                      call.answer_json(object.text(), 202);
                    }));
}

void LingerCall::name_dead_channel(std::string dead, std::function<void()> then) {
  face_->engine.set_dead_channel(
      route_.channel, std::move(dead),
      answered_by<void>([then = std::move(then)](LingerCall&) { then(); }));
}

void LingerCall::take() {
  const auto lease = read_lease_length(parameters_);
  if (!lease) return refuse(lease.error());
  const queue::TakeOptions options{.lease = *lease};
  take_some(options, [face = face_, with_lease = parameters_.has("lease")](Deliveries deliveries) {
    return face->answers.message(std::move(deliveries.front()), with_lease);
  });
}

void LingerCall::drain() {
  face_->engine.purge(route_.channel, answered_by<std::uint64_t>([](LingerCall& call, auto) {
                        call.answer(call.face_->answers.no_content());
                      }));
}

void LingerCall::channel_stats() {
  face_->engine.channel_stats(
      route_.channel, answered_by<queue::ChannelStats>([](LingerCall& call, const auto& stats) {
        call.answer_json(stats_json(stats, call.parameters_.has("all")));
      }));
}

void LingerCall::peek() {
  const auto limit = read_count(parameters_, "limit", 1, queue::Engine::kListMax, kListed);
  if (!limit) return refuse(limit.error());
  const auto offset = read_count(parameters_, "offset", 0, std::uint64_t{1} << 62U, 0);
  if (!offset) return refuse(offset.error());
  face_->engine.list(
      route_.channel, *offset, *limit,
      answered_by<std::vector<queue::Listed>>([](LingerCall& call, const auto& listed) {
        std::vector<std::string> items;
        for (const auto& message : listed) items.push_back(json_of(message));
        call.answer_json(Object{{"messages", Json::from_text(json_array(items))}}.text());
      }));
}

void LingerCall::pause() { face_->engine.pause(route_.channel, true, answered_by_nothing()); }

void LingerCall::resume() { face_->engine.pause(route_.channel, false, answered_by_nothing()); }

void LingerCall::redrive() {
  const auto limit = read_count(parameters_, "limit", 1, queue::kBatchMax, queue::kBatchMax);
  if (!limit) return refuse(limit.error());
  face_->engine.redrive(route_.channel, *limit,
                        answered_by<std::uint64_t>([](LingerCall& call, auto moved) {
                          call.answer_json(Object{{"moved", moved}}.text());
                        }));
}

void LingerCall::settings() {
  face_->engine.settings(route_.channel, answered_by<queue::ChannelSettings>(
                                             [](LingerCall& call, const auto& settings) {
                                               call.answer_json(settings_json(settings));
                                             }));
}

void LingerCall::set_settings() {
  const auto type = media_type(content_type());
  if (!body_.empty() && type != kFormType && type != kMultipartType) {
    if (type != "application/json") {
      return refuse("Settings come as parameters, as a form or as a JSON object.");
    }
    auto wrong = add_members(body_, parameters_);
    if (!wrong) wrong = refuse_others(parameters_, kSettings, "setting");
    if (wrong) return refuse(*wrong);
  }
  auto settings = read_settings(parameters_);
  if (!settings) return refuse(settings.error());
  face_->engine.set_settings(route_.channel, std::move(*settings), answered_by_nothing());
}

void LingerCall::reset_settings() {
  face_->engine.set_settings(route_.channel, {}, answered_by_nothing());
}

}  // namespace rp::handlers::linger
