#include "tests/queue/test_engine.h"

#include <cstdlib>

namespace rp::queue {

TempDirectory::TempDirectory() {
  // Where memory serves as a disk, hundreds of syncs cost nothing.
  const std::filesystem::path memory = "/dev/shm";
  const auto parent =
      std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
  auto name = (parent / "rp-queue-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TestEngine::TestEngine(StoreKind kind, EngineOptions options) : kind_(kind), options_(options) {
  open();
}

std::unique_ptr<Store> TestEngine::open_store() {
  if (make_store_) return make_store_();
  if (kind_ == StoreKind::memory) return std::make_unique<MemoryStore>(map_);
  return std::move(open_rocks_store({.directory = data()}).value());
}

void TestEngine::open() {
  engine_ = std::move(Engine::open(open_store(), options_, clock).value());
}

template <class Start>
Status TestEngine::answer(Start start) {
  auto answers = await<Engine::Answers>(std::move(start));
  if (!answers) return answers.error();
  return answers->front();
}

Result<MessageId> TestEngine::put(const std::string& channel, NewMessage message) {
  const auto done = await<Engine::PutDone>(
      [&](auto completion) { engine_->put(channel, std::move(message), std::move(completion)); });
  if (!done) return done.error();
  return done->id;
}

Result<std::vector<Engine::PutDone>> TestEngine::put_batch(const std::string& channel,
                                                           std::vector<NewMessage> messages) {
  return await<std::vector<Engine::PutDone>>([&](auto completion) {
    engine_->put_batch(channel, std::move(messages), std::move(completion));
  });
}

std::vector<Delivery> TestEngine::take(const std::string& channel, TakeOptions options) {
  return await<std::vector<Delivery>>(
             [&](auto completion) { engine_->take(channel, options, std::move(completion)); })
      .value();
}

TestEngine::Started TestEngine::start_take(const std::string& channel, TakeOptions options) {
  Started started;
  // Shared, since a completion can be copied.
  auto promise = std::make_shared<std::promise<Result<std::vector<Delivery>>>>();
  started.result = promise->get_future();
  started.waiter = engine_->take(channel, options,
                                 [promise](auto result) { promise->set_value(std::move(result)); });
  stats(channel);
  return started;
}

Result<std::vector<Delivery>> TestEngine::Started::get() {
  if (result.wait_for(std::chrono::seconds(30)) != std::future_status::ready) {
    return Error{.code = Errc::overloaded, .detail = "the test has waited for too long"};
  }
  return result.get();
}

bool TestEngine::Started::is_ready() const {
  return result.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

Status TestEngine::remove(MessageId id) {
  return answer([&](auto completion) { engine_->remove({id}, std::move(completion)); });
}

Status TestEngine::touch(MessageId id) {
  return answer([&](auto completion) { engine_->touch({id}, std::move(completion)); });
}

Status TestEngine::ack(const Lease& lease) {
  return answer([&](auto completion) { engine_->ack({lease}, std::move(completion)); });
}

Status TestEngine::nack(const Lease& lease, NackOptions options) {
  return answer([&](auto completion) { engine_->nack({lease}, options, std::move(completion)); });
}

Status TestEngine::extend(const Lease& lease, std::optional<Milliseconds> length) {
  return answer([&](auto completion) { engine_->extend({lease}, length, std::move(completion)); });
}

std::vector<Listed> TestEngine::list(const std::string& channel, std::uint64_t offset,
                                     std::size_t limit) {
  return await<std::vector<Listed>>(
             [&](auto completion) { engine_->list(channel, offset, limit, std::move(completion)); })
      .value();
}

std::uint64_t TestEngine::purge(const std::string& channel) {
  return await<std::uint64_t>(
             [&](auto completion) { engine_->purge(channel, std::move(completion)); })
      .value();
}

Status TestEngine::pause(const std::string& channel, bool paused) {
  return await<void>(
      [&](auto completion) { engine_->pause(channel, paused, std::move(completion)); });
}

std::uint64_t TestEngine::redrive(const std::string& channel, std::size_t count_max) {
  return await<std::uint64_t>(
             [&](auto completion) { engine_->redrive(channel, count_max, std::move(completion)); })
      .value();
}

Status TestEngine::set_settings(const std::string& channel, const ChannelSettings& settings) {
  return await<void>(
      [&](auto completion) { engine_->set_settings(channel, settings, std::move(completion)); });
}

Status TestEngine::set_dead_channel(const std::string& channel, const std::string& dead_channel) {
  return await<void>([&](auto completion) {
    engine_->set_dead_channel(channel, dead_channel, std::move(completion));
  });
}

ChannelSettings TestEngine::settings(const std::string& channel) {
  return await<ChannelSettings>(
             [&](auto completion) { engine_->settings(channel, std::move(completion)); })
      .value();
}

ChannelStats TestEngine::stats(const std::string& channel) {
  return await<ChannelStats>(
             [&](auto completion) { engine_->channel_stats(channel, std::move(completion)); })
      .value();
}

EngineStats TestEngine::stats() {
  return await<EngineStats>([&](auto completion) { engine_->stats(std::move(completion)); })
      .value();
}

std::vector<std::string> TestEngine::channels() {
  return await<std::vector<std::string>>(
             [&](auto completion) { engine_->channels(std::move(completion)); })
      .value();
}

Status TestEngine::subscribe(const Subscription& subscription) {
  return await<void>(
      [&](auto completion) { engine_->subscribe(subscription, std::move(completion)); });
}

bool TestEngine::unsubscribe(const std::string& topic, const std::string& channel) {
  return await<bool>(
             [&](auto completion) { engine_->unsubscribe(topic, channel, std::move(completion)); })
      .value();
}

Result<Published> TestEngine::publish(const std::string& topic, Publication publication) {
  return await<Published>([&](auto completion) {
    engine_->publish(topic, std::move(publication), std::move(completion));
  });
}

std::vector<std::string> TestEngine::topics() {
  return await<std::vector<std::string>>(
             [&](auto completion) { engine_->topics(std::move(completion)); })
      .value();
}

std::string store_name(const testing::TestParamInfo<StoreKind>& info) {
  return info.param == StoreKind::memory ? "Memory" : "Rocks";
}

}  // namespace rp::queue
