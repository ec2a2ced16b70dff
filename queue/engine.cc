#include "queue/engine.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "queue/engine_thread.h"
#include "queue/memory_store.h"

namespace rp::queue {
namespace {

Error of_batch(std::size_t size) {
  return bad_argument("the batch has " + std::to_string(size) + " entries; accepted is 1 to " +
                      std::to_string(kBatchMax));
}

/// An operation whose result is that of a function on the core.
template <class T, class Decide>
class Decided final : public Operation {
 public:
  Decided(bool changes, std::size_t bytes, Decide decide, Completion<T> done)
      : Operation(changes, bytes), decide_(std::move(decide)), done_(std::move(done)) {}

  void decide(Core& core) override {
    try {
      result_.emplace(decide_(core));
    } catch (const Unreadable& unreadable) {
      result_.emplace(unreadable.error);
    }
  }
  void report() override { done_(std::move(*result_)); }
  void fail(const Error& error) override { done_(error); }

 private:
  const Decide decide_;
  const Completion<T> done_;
  std::optional<Result<T>> result_;
};

class Take final : public Operation {
 public:
  explicit Take(std::shared_ptr<Waiting> waiting)
      : Operation(true, 0), waiting_(std::move(waiting)) {}

  void decide(Core& core) override { core.take(waiting_); }
  void report() override {}  // the core serves the waiter, now or later
  void fail(const Error& error) override { static_cast<void>(waiting_->finish(error)); }

 private:
  const std::shared_ptr<Waiting> waiting_;
};

template <class Item>
std::size_t bytes_of(const std::vector<Item>& items) {
  return items.size() * sizeof(Item);
}

template <class Answer, class Item>
Result<Engine::Answers> each(const std::vector<Item>& items, Answer answer) {
  if (items.empty() || items.size() > kBatchMax) return of_batch(items.size());
  Engine::Answers answers;
  answers.reserve(items.size());
  for (const auto& item : items) {
    try {
      answers.push_back(answer(item));
    } catch (const Unreadable& unreadable) {
      answers.emplace_back(unreadable.error);
    }
  }
  return answers;
}

/// A listing that is made slice by slice.
struct Listing {
  std::string channel;
  Core::ListPlace place;
  std::size_t limit = 0;
  std::size_t bytes = 0;
  std::vector<Listed> listed;
  Completion<std::vector<Listed>> done;
};

}  // namespace

bool Waiter::cancel() {
  if (!waiting_ || !waiting_->become(Waiting::State::cancelled)) return false;
  if (const auto inbox = waiting_->inbox.lock()) inbox->push_cancelled(waiting_);
  return true;
}

class Engine::Impl {
 public:
  Impl(std::unique_ptr<Store> store, const EngineOptions& options, const Clock& clock)
      : thread(std::move(store), options, clock) {}

  void push(std::unique_ptr<Operation> operation) {
    if (const auto error = thread.inbox()->push(operation)) operation->fail(*error);
  }

  /// Queues a change that carries so many bytes of bodies, ids and leases.
  template <class T, class Decide>
  void change(Completion<T> done, Decide decide, std::size_t bytes = 0) {
    push(std::make_unique<Decided<T, Decide>>(true, bytes, std::move(decide), std::move(done)));
  }
  template <class T, class Decide>
  void ask(Completion<T> done, Decide decide) {
    push(std::make_unique<Decided<T, Decide>>(false, 0, std::move(decide), std::move(done)));
  }

  void list_more(std::shared_ptr<Listing> listing) {
    const auto decide = [listing](Core& core) -> Result<Core::ListSlice> {
      if (auto bad = bad_name("channel", listing->channel)) return *bad;
      return core.list(listing->channel, listing->place, listing->limit - listing->listed.size(),
                       kListBytesMax - listing->bytes);
    };
    // The engine outlives its thread, which runs this.
    ask<Core::ListSlice>(
        [this, listing](Result<Core::ListSlice> slice) {
          if (!slice) return listing->done(slice.error());
          std::move(slice->listed.begin(), slice->listed.end(),
                    std::back_inserter(listing->listed));
          listing->bytes += slice->bytes;
          listing->place = std::move(slice->place);
          if (slice->finished) return listing->done(std::move(listing->listed));
          list_more(listing);
        },
        decide);
  }

  EngineThread thread;
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::open(std::unique_ptr<Store> store, EngineOptions options,
                                             const Clock& clock) {
  auto impl = std::make_unique<Impl>(std::move(store), options, clock);
  if (auto status = impl->thread.open(); !status) return status.error();
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Result<std::unique_ptr<Engine>> Engine::open_in_memory(EngineOptions options, const Clock& clock) {
  const auto bytes_max = options.memory_bytes_max;
  return open(std::make_unique<MemoryStore>(std::make_shared<MemoryStore::Map>(), bytes_max),
              options, clock);
}

void Engine::close() { impl_->thread.close(); }

void Engine::put(std::string channel, NewMessage message, Completion<PutDone> done) {
  const auto bytes = message.body.size();
  std::vector<NewMessage> messages;
  messages.push_back(std::move(message));
  impl_->change<PutDone>(
      std::move(done),
      [channel = std::move(channel), messages = std::move(messages)](Core& core) {
        const auto result = core.put(channel, messages);
        return result ? Result<PutDone>(result->front()) : Result<PutDone>(result.error());
      },
      bytes);
}

void Engine::put_batch(std::string channel, std::vector<NewMessage> messages,
                       Completion<std::vector<PutDone>> done) {
  auto bytes = bytes_of(messages);
  for (const auto& message : messages) bytes += message.body.size();
  impl_->change<std::vector<PutDone>>(
      std::move(done),
      [channel = std::move(channel),
       messages = std::move(messages)](Core& core) -> Result<std::vector<PutDone>> {
        if (messages.empty() || messages.size() > kBatchMax) return of_batch(messages.size());
        return core.put(channel, messages);
      },
      bytes);
}

Waiter Engine::take(std::string channel, TakeOptions options,
                    Completion<std::vector<Delivery>> done) {
  auto waiting = std::make_shared<Waiting>(std::move(channel), options, std::move(done));
  waiting->inbox = impl_->thread.inbox();
  impl_->push(std::make_unique<Take>(waiting));
  return Waiter(std::move(waiting));
}

void Engine::remove(std::vector<MessageId> ids, Completion<Answers> done) {
  const auto bytes = bytes_of(ids);
  impl_->change<Answers>(
      std::move(done),
      [ids = std::move(ids)](Core& core) {
        return each(ids, [&](MessageId id) { return core.remove(id); });
      },
      bytes);
}

void Engine::touch(std::vector<MessageId> ids, Completion<Answers> done) {
  const auto bytes = bytes_of(ids);
  impl_->change<Answers>(
      std::move(done),
      [ids = std::move(ids)](Core& core) {
        return each(ids, [&](MessageId id) { return core.touch(id); });
      },
      bytes);
}

void Engine::ack(std::vector<Lease> leases, Completion<Answers> done) {
  const auto bytes = bytes_of(leases);
  impl_->change<Answers>(
      std::move(done),
      [leases = std::move(leases)](Core& core) {
        return each(leases, [&](const Lease& lease) { return core.ack(lease); });
      },
      bytes);
}

void Engine::nack(std::vector<Lease> leases, NackOptions options, Completion<Answers> done) {
  const auto bytes = bytes_of(leases);
  impl_->change<Answers>(
      std::move(done),
      [leases = std::move(leases), options](Core& core) {
        return each(leases, [&](const Lease& lease) { return core.nack(lease, options); });
      },
      bytes);
}

void Engine::extend(std::vector<Lease> leases, std::optional<Milliseconds> lease,
                    Completion<Answers> done) {
  const auto bytes = bytes_of(leases);
  impl_->change<Answers>(
      std::move(done),
      [leases = std::move(leases), lease](Core& core) {
        return each(leases, [&](const Lease& held) { return core.extend(held, lease); });
      },
      bytes);
}

void Engine::list(std::string channel, std::uint64_t offset, std::size_t limit,
                  Completion<std::vector<Listed>> done) {
  if (limit == 0 || limit > kListMax) {
    // Reported by the engine's thread, as everything that is no refusal at the door.
    auto error = bad_argument("the number of messages to list is " + std::to_string(limit) +
                              "; accepted is 1 to " + std::to_string(kListMax));
    impl_->ask<std::vector<Listed>>(
        std::move(done),
        [error = std::move(error)](Core&) -> Result<std::vector<Listed>> { return error; });
    return;
  }
  auto listing = std::make_shared<Listing>();
  listing->channel = std::move(channel);
  listing->place.skip = offset;
  listing->limit = limit;
  listing->done = std::move(done);
  impl_->list_more(std::move(listing));
}

void Engine::purge(std::string channel, Completion<std::uint64_t> done) {
  impl_->change<std::uint64_t>(
      std::move(done), [channel = std::move(channel)](Core& core) { return core.purge(channel); });
}

void Engine::pause(std::string channel, bool paused, Completion<void> done) {
  impl_->change<void>(std::move(done), [channel = std::move(channel), paused](Core& core) {
    return core.pause(channel, paused);
  });
}

void Engine::redrive(std::string dead_channel, std::size_t count_max,
                     Completion<std::uint64_t> done) {
  impl_->change<std::uint64_t>(std::move(done),
                               [channel = std::move(dead_channel), count_max](Core& core) {
                                 return core.redrive(channel, count_max);
                               });
}

void Engine::set_settings(std::string channel, ChannelSettings settings, Completion<void> done) {
  impl_->change<void>(std::move(done),
                      [channel = std::move(channel), settings = std::move(settings)](Core& core) {
                        return core.set_settings(channel, settings);
                      });
}

void Engine::set_dead_channel(std::string channel, std::string dead_channel,
                              Completion<void> done) {
  impl_->change<void>(std::move(done),
                      [channel = std::move(channel), dead = std::move(dead_channel)](Core& core) {
                        return core.set_dead_channel(channel, dead);
                      });
}

void Engine::settings(std::string channel, Completion<ChannelSettings> done) {
  impl_->ask<ChannelSettings>(std::move(done), [channel = std::move(channel)](Core& core) {
    return core.settings(channel);
  });
}

void Engine::channel_stats(std::string channel, Completion<ChannelStats> done) {
  impl_->ask<ChannelStats>(std::move(done), [channel = std::move(channel)](Core& core) {
    return core.channel_stats(channel);
  });
}

void Engine::stats(Completion<EngineStats> done) {
  impl_->ask<EngineStats>(std::move(done), [](Core& core) { return core.stats(); });
}

void Engine::channels(Completion<std::vector<std::string>> done) {
  impl_->ask<std::vector<std::string>>(std::move(done), [](Core& core) { return core.channels(); });
}

void Engine::subscribe(Subscription subscription, Completion<void> done) {
  impl_->change<void>(std::move(done), [subscription = std::move(subscription)](Core& core) {
    return core.subscribe(subscription);
  });
}

void Engine::unsubscribe(std::string topic, std::string channel, Completion<bool> done) {
  impl_->change<bool>(std::move(done),
                      [topic = std::move(topic), channel = std::move(channel)](Core& core) {
                        return core.unsubscribe(topic, channel);
                      });
}

void Engine::publish(std::string topic, Publication publication, Completion<Published> done) {
  const auto bytes = publication.body.size();
  impl_->change<Published>(
      std::move(done),
      [topic = std::move(topic), publication = std::move(publication)](Core& core) {
        return core.publish(topic, publication);
      },
      bytes);
}

void Engine::topics(Completion<std::vector<std::string>> done) {
  impl_->ask<std::vector<std::string>>(std::move(done), [](Core& core) { return core.topics(); });
}

void Engine::subscriptions(std::string topic, std::string channel,
                           Completion<std::vector<Subscription>> done) {
  impl_->ask<std::vector<Subscription>>(
      std::move(done), [topic = std::move(topic), channel = std::move(channel)](Core& core) {
        return core.subscriptions(topic, channel);
      });
}

EngineHealth Engine::health() const { return impl_->thread.health(); }
const std::string& Engine::store_id() const { return impl_->thread.store_id(); }
void Engine::wake() { impl_->thread.inbox()->wake(); }

}  // namespace rp::queue
