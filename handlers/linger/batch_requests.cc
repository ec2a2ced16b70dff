// Requests for many messages at once.
#include <atomic>

#include "handlers/linger/items.h"
#include "handlers/linger/linger_call.h"
#include "handlers/linger/message_json.h"
#include "handlers/linger/message_options.h"
#include "handlers/linger/text.h"
#include "handlers/sdk/json_text.hpp"

namespace rp::handlers::linger {
namespace {

using queue::Engine;

Refused at_item(std::size_t index, const Refused& why) {
  return {why.status, "Item " + std::to_string(index) + ": " + why.reason};
}

/// Results of two operations that share one list of items, put together as they come.
struct AckResults {
  std::vector<std::size_t> places[2];  // in the list, of each operation's items
  std::vector<int> statuses;
  std::atomic<int> operations_left{2};
};

int status_of(const queue::Status& status) { return status ? 204 : refused(status.error()).status; }

}  // namespace

void LingerCall::put_batch() {
  const auto items = split_items(body_);
  if (!items) return refuse(items.error());
  std::vector<queue::NewMessage> messages;
  for (const auto item : *items) {
    auto message = read_message_item(item);
    if (!message) return refuse(at_item(messages.size(), message.error()));
    messages.push_back(std::move(*message));
  }
  face_->engine.put_batch(
      route_.channel, std::move(messages),
      answered_by<std::vector<Engine::PutDone>>([](LingerCall& call, const auto& done) {
        std::vector<queue::MessageId> ids;
        std::uint64_t duplicates = 0;
        for (const auto& one : done) {
          ids.push_back(one.id);
          duplicates += one.duplicate ? 1 : 0;
        }
        call.answer_json(Object{{"ids", ids}, {"duplicates", duplicates}}.text(), 202);
      }));
}

void LingerCall::take_batch() {
  queue::TakeOptions options;
  const auto count = read_count(parameters_, "count", 1, queue::kBatchMax, queue::kBatchMax);
  if (!count) return refuse(count.error());
  options.count_max = *count;
  const auto lease = read_lease_length(parameters_);
  if (!lease) return refuse(lease.error());
  options.lease = *lease;
  take_some(options, [face = face_](const Deliveries& deliveries) {
    std::vector<std::string> items;
    for (const auto& delivery : deliveries) items.push_back(json_of(delivery));
    return face->answers.json(200, Object{{"messages", Json::from_text(json_array(items))}}.text());
  });
}

void LingerCall::ack_batch() {
  const auto items = split_items(body_);
  if (!items) return refuse(items.error());
  auto results = std::make_shared<AckResults>();
  results->statuses.resize(items->size());
  std::vector<queue::MessageId> ids;
  std::vector<queue::Lease> leases;
  for (std::size_t i = 0; i < items->size(); ++i) {
    const auto item = read_ack_item((*items)[i]);
    if (!item) return refuse(at_item(i, item.error()));
    results->places[item->lease ? 1 : 0].push_back(i);
    if (item->lease) {
      leases.push_back(*item->lease);
    } else {
      ids.push_back(item->id);
    }
  }
  const auto part = [&](int which) {
    return [self = shared_from_this(), results, which](const queue::Result<Engine::Answers>& done) {
      if (!done) {
        self->answer(self->face_->answers.failure(done.error()));
        return;
      }
      const auto& places = results->places[which];
      for (std::size_t i = 0; i < places.size(); ++i) {
        results->statuses[places[i]] = status_of((*done)[i]);
      }
      if (--results->operations_left == 0) {
        self->answer_json(Object{{"results", results->statuses}}.text());
      }
    };
  };
  results->operations_left = (ids.empty() ? 0 : 1) + (leases.empty() ? 0 : 1);
  auto by_id = part(0);
  auto by_lease = part(1);
  const bool any_leases = !leases.empty();
  if (!ids.empty()) face_->engine.remove(std::move(ids), std::move(by_id));
  if (any_leases) face_->engine.ack(std::move(leases), std::move(by_lease));
}

}  // namespace rp::handlers::linger
