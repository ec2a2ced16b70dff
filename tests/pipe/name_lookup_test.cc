#include "pipe/name_lookup.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace rp::pipe {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Found = Result<NameService::Addresses>;

NameService::Addresses addresses(const std::string& text) { return {asio::ip::make_address(text)}; }

/// A resolver whose questions for "slow" are answered when it is let go.
class SlowResolver {
 public:
  ~SlowResolver() { let_go(); }

  std::shared_ptr<NameService> service(std::size_t at_once_max) {
    return std::make_shared<NameService>(
        [state = state_](const std::string& host) -> Found {
          if (host == "unknown") return error_code(asio::error::host_not_found);
          std::unique_lock lock(state->mutex);
          state->most = std::max(state->most, ++state->asked);
          state->changed.notify_all();
          if (host == "slow") state->changed.wait_for(lock, 30s, [&] { return state->go; });
          --state->asked;
          ++state->answered;
          state->changed.notify_all();
          return addresses("10.0.0.1");
        },
        at_once_max);
  }
  void let_go() {
    const std::lock_guard lock(state_->mutex);
    state_->go = true;
    state_->changed.notify_all();
  }
  bool wait_asked() {
    std::unique_lock lock(state_->mutex);
    return state_->changed.wait_for(lock, 10s, [&] { return state_->asked > 0; });
  }
  bool wait_answered() {
    std::unique_lock lock(state_->mutex);
    return state_->changed.wait_for(lock, 10s, [&] { return state_->answered > 0; });
  }
  int answered() {
    const std::lock_guard lock(state_->mutex);
    return state_->answered;
  }
  int most_at_once() {
    const std::lock_guard lock(state_->mutex);
    return state_->most;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool go = false;
    int asked = 0;  // at present
    int most = 0;
    int answered = 0;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

class NameLookupTest : public testing::Test {
 protected:
  struct Asked {
    explicit Asked(asio::io_context& context, const std::shared_ptr<NameService>& names)
        : lookup(context.get_executor(), names) {}
    NameLookup lookup;
    std::optional<Found> found;
  };
  static asio::awaitable<void> run(std::shared_ptr<Asked> asked, std::string host,
                                   std::chrono::milliseconds time) {
    asked->found = co_await asked->lookup.run(host, time);
  }
  static void expect_end(const std::exception_ptr& failure) { EXPECT_FALSE(failure); }
  std::shared_ptr<Asked> ask(const std::string& host, std::chrono::milliseconds time = 20s) {
    auto asked = std::make_shared<Asked>(context_, names_);
    asio::co_spawn(context_, run(asked, host, time), expect_end);
    return asked;
  }
  /// The answer, once there is one.
  Found answer(const std::shared_ptr<Asked>& asked) {
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    while (!asked->found && std::chrono::steady_clock::now() < give_up) {
      context_.restart();
      context_.run_one_for(50ms);
    }
    if (asked->found) return *asked->found;
    ADD_FAILURE() << "no answer";
    return error_code(asio::error::fault);
  }

  SlowResolver resolver_;
  std::shared_ptr<NameService> names_ = resolver_.service(2);
  asio::io_context context_{1};
};

TEST_F(NameLookupTest, FindsWhatTheResolverFinds) {
  EXPECT_EQ(answer(ask("host")).value(), addresses("10.0.0.1"));
  EXPECT_EQ(answer(ask("unknown")).error(), asio::error::host_not_found);
}

TEST_F(NameLookupTest, AsksNobodyForAnAddressInWriting) {
  for (const char* text : {"127.0.0.1", "::1", "fe80::1"}) {
    EXPECT_EQ(answer(ask(text)).value(), addresses(text));
  }
  EXPECT_EQ(resolver_.answered(), 0);
}

TEST_F(NameLookupTest, EndsInTimeWhateverTheResolverDoes) {
  EXPECT_EQ(answer(ask("slow", 10ms)).error(), asio::error::timed_out);
  EXPECT_EQ(resolver_.answered(), 0);
}

TEST_F(NameLookupTest, IsNotHeldUpByAnotherOne) {
  const auto slow = ask("slow");
  EXPECT_EQ(answer(ask("host")).value(), addresses("10.0.0.1"));
  EXPECT_FALSE(slow->found);
  resolver_.let_go();
  EXPECT_EQ(answer(slow).value(), addresses("10.0.0.1"));
}

TEST_F(NameLookupTest, WaitsWhereTooManyAreAsked) {
  const auto one = ask("slow");
  const auto two = ask("slow");
  EXPECT_EQ(answer(ask("host", 50ms)).error(), asio::error::timed_out);
  const auto three = ask("host");
  resolver_.let_go();
  for (const auto& asked : {one, two, three}) EXPECT_TRUE(answer(asked));
  EXPECT_EQ(resolver_.most_at_once(), 2);
  EXPECT_EQ(resolver_.answered(), 3) << "nobody waited for the one whose time was over";
}

TEST_F(NameLookupTest, CanBeCancelled) {
  const auto asked = ask("slow");
  context_.poll();
  asked->lookup.cancel();
  EXPECT_EQ(answer(asked).error(), asio::error::operation_aborted);
  const auto early = std::make_shared<Asked>(context_, names_);
  early->lookup.cancel();
  asio::co_spawn(context_, run(early, "slow", 20s), expect_end);
  EXPECT_EQ(answer(early).error(), asio::error::operation_aborted);
}

TEST_F(NameLookupTest, MayBeDestroyedWithItsContextWhileItIsAsked) {
  {
    asio::io_context context(1);
    auto asked = std::make_shared<Asked>(context, names_);
    asio::co_spawn(context, run(std::move(asked), "slow", 20s), expect_end);
    context.poll();
    EXPECT_TRUE(resolver_.wait_asked());
  }
  resolver_.let_go();
  EXPECT_TRUE(resolver_.wait_answered());
}

TEST_F(NameLookupTest, AsksTheSystemInEarnest) {
  names_ = NameService::of_process();
  const auto found = answer(ask("localhost"));
  ASSERT_TRUE(found) << found.error().message();
  for (const auto& address : *found) EXPECT_TRUE(address.is_loopback()) << address;
}

}  // namespace
}  // namespace rp::pipe
