#include "node/policy_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/guarded_handlers.h"
#include "tests/node/temporary_directory.h"

namespace rp::node {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class PolicyKeeperTest : public testing::Test {
 protected:
  PolicyKeeper& keeper(Role role, const std::string& text) {
    write(text);
    return keeper_of(role, file());
  }
  PolicyKeeper& keeper_without_file(Role role) { return keeper_of(role, {}); }
  PolicyKeeper& keeper_of(Role role, const std::filesystem::path& policy) {
    Config config;
    config.role = role;
    config.policy = policy;
    keeper_ = std::make_unique<PolicyKeeper>(config, metrics_);
    return *keeper_;
  }

  void write(const std::string& text) { directory_.write("policy.toml", text); }
  std::filesystem::path file() const { return directory_.path() / "policy.toml"; }

  bool allows(const std::string& from, const std::string& to) {
    pipe::Event event;
    event.verb = "get";
    event.noun = "time";
    return keeper_->allows(from, to, event);
  }

  TemporaryDirectory directory_;
  Registry metrics_;
  std::unique_ptr<PolicyKeeper> keeper_;
};

TEST_F(PolicyKeeperTest, AServerWithoutAFileKeepsClientsApart) {
  EXPECT_TRUE(keeper_without_file(Role::server).is_built_in());
  EXPECT_TRUE(allows("alpha", ""));
  EXPECT_FALSE(allows("alpha", "beta"));
}

TEST_F(PolicyKeeperTest, AClientWithoutAFileLeavesItToItsServer) {
  keeper_without_file(Role::client);
  EXPECT_TRUE(allows("hub", "beta"));
  EXPECT_TRUE(allows("alpha", "beta"));
}

TEST_F(PolicyKeeperTest, AFileIsReadAgainWhenItChanges) {
  keeper(Role::server, "default = 'deny'\n");
  EXPECT_FALSE(allows("alpha", ""));
  write("default = 'allow' # longer\n");
  EXPECT_FALSE(allows("alpha", "")) << "nothing is read before refresh()";
  keeper_->refresh();
  EXPECT_TRUE(allows("alpha", ""));
}

TEST_F(PolicyKeeperTest, ABrokenOrMissingFileKeepsTheLastGoodPolicy) {
  keeper(Role::server, "default = 'allow'\n");
  write("default = 'perhaps'\n");
  keeper_->refresh();
  EXPECT_TRUE(allows("alpha", "beta"));
  std::filesystem::remove(file());
  keeper_->refresh();
  EXPECT_TRUE(allows("alpha", "beta"));
  write("default = 'deny'\n");
  keeper_->refresh();
  EXPECT_FALSE(allows("alpha", "beta"));
}

TEST_F(PolicyKeeperTest, ABrokenFileStopsTheStart) {
  EXPECT_THROW(keeper(Role::server, "defualt = 'deny'\n"), ConfigError);
}

TEST_F(PolicyKeeperTest, RefusalsAreCounted) {
  keeper(Role::server, "default = 'deny'\n");
  allows("alpha", "");
  allows("alpha", "beta");
  EXPECT_THAT(metrics_.prometheus_text(), HasSubstr("\nrestpipe_policy_refusals_total 2\n"));
}

TEST(RefusalLogTest, OneCallersNoiseDoesNotHideAnother) {
  RefusalLog log;
  const pipe::Clock::time_point now = pipe::Clock::now();
  for (std::uint32_t i = 0; i < RefusalLog::kLinesPerCallerMax; ++i) {
    EXPECT_TRUE(log.refused("noisy", now).log);
  }
  EXPECT_FALSE(log.refused("noisy", now).log);
  const auto other = log.refused("other", now);
  EXPECT_TRUE(other.log);
  EXPECT_EQ(other.left_out, 1U);
}

TEST(RefusalLogTest, AllCallersTogetherAreBoundedAndEachSecondBeginsAnew) {
  RefusalLog log;
  const pipe::Clock::time_point now = pipe::Clock::now();
  for (std::uint32_t i = 0; i < RefusalLog::kLinesMax; ++i) {
    EXPECT_TRUE(log.refused("caller-" + std::to_string(i), now).log);
  }
  EXPECT_FALSE(log.refused("late", now + 999ms).log);
  EXPECT_TRUE(log.refused("late", now + 1s).log);
}

/// Notes what reaches the handlers, and what their caller is told.
class GuardedHandlersTest : public PolicyKeeperTest {
 protected:
  class Handlers final : public pipe::EventTarget {
   public:
    std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&&,
                                              const pipe::Origin&,
                                              std::shared_ptr<pipe::ReplySink>&&) override {
      nouns.push_back(event.noun);
      return nullptr;
    }
    std::vector<std::string> nouns;
  };
  class Told final : public pipe::ReplySink {
   public:
    void reply(pipe::ReplyHead&&, std::string&&) override {}
    void begin(pipe::ReplyHead&&) override {}
    void data(std::string) override {}
    void end() override {}
    void fail(pipe::Failure failure) override { failed = std::move(failure); }
    std::optional<pipe::Failure> failed;
  };

  std::optional<pipe::Failure> call(const std::string& from, const std::string& noun,
                                    const std::string& target = "") {
    GuardedHandlers guarded(handlers_, *keeper_, "beta");
    const auto told = std::make_shared<Told>();
    pipe::Event event;
    event.verb = "get";
    event.noun = noun;
    event.target = target;
    guarded.submit(std::move(event), {}, {.node = from, .address = {}, .port = 0}, told);
    return told->failed;
  }

  Handlers handlers_;
};

TEST_F(GuardedHandlersTest, PassesOnWhatThePolicyAllows) {
  keeper(Role::client, "[[rule]]\nfrom = 'alpha'\nto = 'beta'\nnouns = 'time'\ndecision = 'allow'");
  EXPECT_FALSE(call("alpha", "time"));
  EXPECT_THAT(handlers_.nouns, testing::ElementsAre("time"));
}

TEST_F(GuardedHandlersTest, ARefusedCallerLearnsNothingOfTheRules) {
  keeper(Role::client, "default = 'deny' # secret\n");
  const auto failed = call("alpha", "time");
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->code, pipe::Errc::forbidden);
  EXPECT_EQ(failed->detail, "refused by policy; the handler has not run");
  EXPECT_TRUE(handlers_.nouns.empty());
}

TEST_F(GuardedHandlersTest, WhatIsMeantForAnotherNodeIsNotRunHere) {
  keeper_without_file(Role::client);
  const auto failed = call("alpha", "time", "gamma");
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->code, pipe::Errc::unknown_peer);
  EXPECT_TRUE(handlers_.nouns.empty());
}

}  // namespace
}  // namespace rp::node
