#include "server/client_lookup.h"

#include <chrono>
#include <functional>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "tests/server/fake_client.h"

namespace rp::server {
namespace {

using namespace std::chrono_literals;
using pipe::Errc;

class ClientLookupTest : public testing::Test {
 protected:
  void connect(std::uint64_t pipe, const std::string& name, const std::string& address) {
    auto target = std::make_shared<FakeClient>(name);
    registry_.add({.pipe = pipe,
                   .origin = {.node = name, .address = address, .port = 4000},
                   .target = target});
    waiting_->forward({name, address}, *target);
  }

  /// Submits `time` to the host and runs what there is to run.
  std::shared_ptr<KeptAnswer> call(const std::string& host) {
    auto answer = std::make_shared<KeptAnswer>();
    pipe::Event event;
    event.verb = "get";
    event.noun = "time";
    control_ = lookup_.target(host)->submit(std::move(event), {}, {}, answer);
    return answer;
  }

  void run_until(const std::function<bool()>& done) {
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    while (!done() && std::chrono::steady_clock::now() < give_up) {
      context_.restart();
      context_.run_one_for(50ms);
    }
    EXPECT_TRUE(done());
  }

  boost::asio::io_context context_{1};
  Registry registry_;
  std::shared_ptr<node::WaitingCalls> waiting_ =
      node::WaitingCalls::create(context_, {.wait = 100ms, .calls_max = 4});
  ClientLookup lookup_{registry_, *waiting_, context_, 5s};
  std::shared_ptr<pipe::CallControl> control_;
};

TEST_F(ClientLookupTest, AnIdentityIsFoundAtOnce) {
  connect(1, "node-a", "10.0.0.1");
  EXPECT_EQ(call("node-a")->replied, "node-a");
}

TEST_F(ClientLookupTest, AnAddressIsFoundWithoutTheResolver) {
  connect(1, "node-a", "10.0.0.1");
  EXPECT_EQ(call("10.0.0.1")->replied, "node-a");
}

TEST_F(ClientLookupTest, AnAddressOfTwoClientsIsAmbiguousAndNamesThem) {
  connect(1, "node-a", "10.0.0.1");
  connect(2, "node-b", "10.0.0.1");
  const auto answer = call("10.0.0.1");
  ASSERT_TRUE(answer->failed);
  EXPECT_EQ(answer->failed->code, Errc::ambiguous_peer);
  EXPECT_NE(answer->failed->detail.find("node-a, node-b"), std::string::npos);
}

TEST_F(ClientLookupTest, ANameThatResolvesFindsTheClientAtThatAddress) {
  connect(1, "node-a", "127.0.0.1");
  const auto answer = call("localhost");
  run_until([&] { return answer->replied.has_value(); });
  EXPECT_EQ(answer->replied, "node-a");
}

TEST_F(ClientLookupTest, ANameThatNeverResolvesIsUnknownWithoutAResolver) {
  const auto answer = call("no-such-host.invalid");
  ASSERT_TRUE(answer->failed);
  EXPECT_EQ(answer->failed->code, Errc::unknown_peer);
  EXPECT_NE(answer->failed->detail.find("'no-such-host.invalid'"), std::string::npos);
}

TEST_F(ClientLookupTest, ANameThatDoesNotResolveFails) {
  const auto answer = call("no-such-host.localdomain.example");
  run_until([&] { return answer->failed.has_value(); });
  EXPECT_TRUE(answer->failed->code == Errc::unknown_peer ||
              answer->failed->code == Errc::resolve_failed);  // without any name server
}

TEST_F(ClientLookupTest, AnAddressWithoutAClientIsWaitedFor) {
  const auto answer = call("10.0.0.9");
  EXPECT_FALSE(answer->failed);
  connect(1, "node-a", "10.0.0.9");
  EXPECT_EQ(answer->replied, "node-a");
}

TEST_F(ClientLookupTest, AWaitThatIsOverSaysThatNothingRan) {
  const auto answer = call("10.0.0.9");
  run_until([&] { return answer->failed.has_value(); });
  EXPECT_EQ(answer->failed->code, Errc::peer_unavailable);
  EXPECT_NE(answer->failed->detail.find("has not run"), std::string::npos);
}

TEST_F(ClientLookupTest, AKnownIdentityThatIsAwayIsWaitedFor) {
  connect(1, "node-a", "10.0.0.1");
  registry_.remove("node-a", 1);
  const auto answer = call("node-a");
  EXPECT_FALSE(answer->failed);
  connect(2, "node-a", "10.0.0.7");
  EXPECT_EQ(answer->replied, "node-a");
}

TEST_F(ClientLookupTest, ACancelledWaitHearsNothing) {
  const auto answer = call("10.0.0.9");
  control_->cancel();
  connect(1, "node-a", "10.0.0.9");
  EXPECT_FALSE(answer->replied);
  EXPECT_FALSE(answer->failed);
  EXPECT_EQ(waiting_->size(), 0U);
}

TEST_F(ClientLookupTest, TheWaitIsBounded) {
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(call("10.0.0.9")->failed);
  const auto answer = call("10.0.0.9");
  ASSERT_TRUE(answer->failed);
  EXPECT_EQ(answer->failed->code, Errc::overloaded);
}

TEST_F(ClientLookupTest, TheEventsOwnDeadlineEndsTheWaitFirst) {
  auto answer = std::make_shared<KeptAnswer>();
  pipe::Event event;
  event.verb = "get";
  event.noun = "time";
  event.deadline = pipe::Clock::now() + 10ms;
  lookup_.target("10.0.0.9")->submit(std::move(event), {}, {}, answer);
  run_until([&] { return answer->failed.has_value(); });
  EXPECT_EQ(answer->failed->code, Errc::deadline_exceeded);
}

TEST_F(ClientLookupTest, ClosingFailsThoseWhoWaitAndThoseWhoCome) {
  const auto before = call("10.0.0.9");
  waiting_->close(Errc::draining);
  const auto after = call("10.0.0.9");
  ASSERT_TRUE(before->failed && after->failed);
  EXPECT_EQ(before->failed->code, Errc::draining);
  EXPECT_EQ(after->failed->code, Errc::draining);
}

}  // namespace
}  // namespace rp::server
