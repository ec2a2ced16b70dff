#include "server/relay.h"

#include <chrono>
#include <map>

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/node/temporary_directory.h"
#include "tests/server/scripted_peer.h"

namespace rp::server {
namespace {

using namespace std::chrono_literals;
using pipe::Errc;
using testing::HasSubstr;

class RelayTest : public testing::Test {
 protected:
  void connect(const std::string& name, const std::string& address) {
    auto peer = std::make_shared<ScriptedPeer>();
    peers_[name] = peer;
    registry_.add({.pipe = ++pipes_,
                   .origin = {.node = name, .address = address, .port = 4000},
                   .target = peer});
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, peer] : peers_) names.push_back(name);
    return names;
  }

  /// The relay of a server with this policy; an empty text is no policy.
  void start(const std::string& policy) {
    node::Config config;
    config.role = node::Role::server;
    if (!policy.empty()) config.policy = directory_.write("policy.toml", policy);
    policy_ = std::make_unique<node::PolicyKeeper>(config, metrics_);
    relay_ = std::make_unique<Relay>(Relay::Parts{.own = own_,
                                                  .lookup = lookup_,
                                                  .names = [this] { return names(); },
                                                  .gather = gather_,
                                                  .policy = *policy_,
                                                  .metrics = metrics_});
  }

  std::shared_ptr<NotedAnswer> call(const std::string& target, const std::string& noun = "time") {
    pipe::Event event;
    event.verb = "get";
    event.noun = noun;
    event.target = target;
    return call(std::move(event));
  }
  std::shared_ptr<NotedAnswer> call(pipe::Event event) {
    auto answer = std::make_shared<NotedAnswer>();
    event.caller = "a lie";
    control_ = relay_->submit(std::move(event), "body",
                              {.node = "alpha", .address = "10.0.0.1", .port = 9}, answer);
    return answer;
  }
  std::optional<Errc> refusal(const std::string& target, const std::string& noun = "time") {
    const auto failed = call(target, noun)->failed;
    return failed ? std::optional(failed->code) : std::nullopt;
  }

  node::TemporaryDirectory directory_;
  boost::asio::io_context context_{1};
  node::Registry metrics_;
  Registry registry_;
  std::shared_ptr<node::WaitingCalls> waiting_ =
      node::WaitingCalls::create(context_, {.wait = 100ms, .calls_max = 4});
  ClientLookup lookup_{registry_, *waiting_, context_, 5s};
  Gather gather_{context_, [this](const std::string& name) { return lookup_.client(name); }, {}};
  ScriptedPeer own_;
  std::unique_ptr<node::PolicyKeeper> policy_;
  std::unique_ptr<Relay> relay_;
  std::map<std::string, std::shared_ptr<ScriptedPeer>> peers_;
  std::uint64_t pipes_ = 0;
  std::shared_ptr<pipe::CallControl> control_;
};

const std::string kAlphaToBeta =
    "[[rule]]\nfrom = 'alpha'\nto = 'beta'\nnouns = ['time', 'cat']\ndecision = 'allow'\n";

TEST_F(RelayTest, AnEventWithoutATargetIsForTheServersOwnHandlers) {
  start("");
  call("");
  ASSERT_EQ(own_.calls.size(), 1U);
  EXPECT_EQ(own_.calls[0].origin.node, "alpha");
  EXPECT_EQ(own_.calls[0].event.caller, "") << "what a client says of itself is not believed";
}

TEST_F(RelayTest, WhatThePolicyAllowsGoesToTheClientOnBehalfOfTheVerifiedCaller) {
  start(kAlphaToBeta);
  connect("beta", "10.0.0.2");
  const auto answer = call("beta", "cat//x");
  ASSERT_EQ(peers_["beta"]->calls.size(), 1U);
  auto& passed = peers_["beta"]->calls[0];
  EXPECT_EQ(passed.event.target, "");
  EXPECT_EQ(passed.event.caller, "alpha");
  EXPECT_EQ(passed.event.noun, "cat//x");
  EXPECT_EQ(passed.body, "body");
  EXPECT_EQ(passed.sink, answer) << "answers go straight back";
  EXPECT_EQ(control_, passed.control) << "and so do credits, bodies and a cancel";
  EXPECT_TRUE(own_.calls.empty());
}

TEST_F(RelayTest, WhatThePolicyDoesNotAllowIsForbidden) {
  start(kAlphaToBeta);
  connect("beta", "10.0.0.2");
  connect("gamma", "10.0.0.3");
  EXPECT_EQ(refusal("beta", "reboot"), Errc::forbidden);
  EXPECT_EQ(refusal("gamma"), Errc::forbidden);
  EXPECT_EQ(refusal("nobody"), Errc::forbidden) << "with rules, a refusal does not tell who exists";
  EXPECT_TRUE(peers_["gamma"]->calls.empty());
}

TEST_F(RelayTest, WithoutAPolicyClientsAreKeptApart) {
  start("");
  connect("beta", "10.0.0.2");
  EXPECT_EQ(refusal("beta"), Errc::forbidden);
  EXPECT_EQ(refusal("nobody"), Errc::unknown_peer);
}

TEST_F(RelayTest, AClientIsFoundByItsIdentityOnly) {
  start("default = 'allow'\n");
  connect("beta", "10.0.0.2");
  EXPECT_EQ(refusal("10.0.0.2"), Errc::unknown_peer);
  EXPECT_EQ(refusal("localhost"), Errc::unknown_peer);
}

TEST_F(RelayTest, AKnownClientThatIsAwayIsWaitedFor) {
  start(kAlphaToBeta);
  connect("beta", "10.0.0.2");
  registry_.remove("beta", pipes_);
  EXPECT_FALSE(refusal("beta"));
  EXPECT_EQ(waiting_->size(), 1U);
}

TEST_F(RelayTest, AllClientsAreThoseThatThePolicyLetsTheCallerAsk) {
  start(kAlphaToBeta);
  connect("beta", "10.0.0.2");
  connect("gamma", "10.0.0.3");
  const auto answer = call("*");
  ASSERT_EQ(peers_["beta"]->calls.size(), 1U);
  EXPECT_EQ(peers_["beta"]->calls[0].event.caller, "alpha");
  peers_["beta"]->calls[0].sink->reply({}, "now");
  EXPECT_EQ(answer->body, "{\"beta\":{\"code\":0,\"content_type\":\"\",\"body\":\"now\"}}\n");
  EXPECT_TRUE(peers_["gamma"]->calls.empty());
}

TEST_F(RelayTest, WhoMayAskNobodyIsForbiddenToAskAll) {
  start("");
  connect("beta", "10.0.0.2");
  EXPECT_EQ(refusal("*"), Errc::forbidden);
}

TEST_F(RelayTest, PassedCallsAreCounted) {
  start(kAlphaToBeta);
  connect("beta", "10.0.0.2");
  call("beta");
  call("gamma");
  EXPECT_THAT(metrics_.prometheus_text(), HasSubstr("\nrestpipe_relayed_calls_total 1\n"));
}

}  // namespace
}  // namespace rp::server
