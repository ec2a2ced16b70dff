#include <gtest/gtest.h>

#include "pipe/core/head.h"
#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"
#include "tests/product/harness/wire_peer.h"

/// Resumption as a client played by hand sees it: docs/wire.md, "Resumption".
namespace rp::product {
namespace {

using pipe::Errc;
using pipe::FrameType;

/// What a client keeps of its session from one link to the next.
struct Ticket {
  std::string session_id;
  std::string secret;
};

/// A link with HELLOs exchanged, and what the server said in its own.
struct Link {
  std::unique_ptr<WirePeer> peer;
  pipe::Hello hello;

  Ticket ticket() const { return {hello.session_id, hello.resume_secret}; }
  void lose() { peer.reset(); }
};

constexpr pipe::CallId call_id(std::uint16_t slot) { return 1u << 16 | slot; }

class ResumeTest : public LabTest {
 protected:
  void start_server(std::vector<std::string> flags = {}) {
    flags.insert(flags.end(), {"--handlers", RP_COUNTING_PLUGIN, "--handlers", RP_PARITY_PLUGIN});
    server_ = make_server({.flags = flags});
  }

  std::unique_ptr<WirePeer> dial(const std::string& name) {
    const auto directory = authority_.client(name);
    auto stream = TlsStream::dial(
        connect_to(server_->pipe_port()).value(),
        {directory / "restpipe.client.crt.pem", directory / "restpipe.client.key.pem"});
    if (!stream) throw std::runtime_error("no TLS with the server");
    return std::make_unique<WirePeer>(std::move(stream));
  }
  static pipe::Hello hello_with(const Ticket& ticket, std::uint64_t received_frames) {
    pipe::Hello hello = plain_hello("by-hand");
    hello.features = {"resume"};
    hello.session_id = ticket.session_id;
    hello.resume_secret = ticket.secret;
    hello.received_frames = received_frames;
    return hello;
  }
  /// A link of client `name` that asks for the session of `ticket`.
  Link connect(const Ticket& ticket = {}, std::uint64_t received_frames = 0,
               const std::string& name = "twin") {
    Link link{dial(name), {}};
    const auto hello = link.peer->exchange_hello(hello_with(ticket, received_frames));
    if (!hello) throw std::runtime_error("no HELLO from the server");
    link.hello = *hello;
    return link;
  }

  /// Makes the call run//ID on the server's handler.
  static void run(Link& link, std::uint16_t slot, const std::string& id) {
    ASSERT_TRUE(link.peer->send(call_frame(call_id(slot), "post", "run//" + id)));
  }
  static void expect_answer(Link& link, std::uint16_t slot) {
    const auto reply = link.peer->next_of(FrameType::reply);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->header.call, call_id(slot));
  }
  /// How often the handler has run for `id`, as another client hears.
  std::string runs_of(const std::string& id) {
    auto other = connect({}, 0, "observer");
    EXPECT_TRUE(other.peer->send(call_frame(call_id(1), "get", "runs/of//" + id)));
    const auto reply = other.peer->next_of(FrameType::reply);
    return reply ? std::string(reply->body()) : "no reply";
  }
  static Errc goodbye_of(WirePeer& peer) {
    const auto frame = peer.next_of(FrameType::goodbye);
    if (!frame) return {};
    const auto goodbye = pipe::decode_goodbye(frame->payload);
    return goodbye ? goodbye->reason.code : Errc{};
  }
};

TEST_F(ResumeTest, TheServerHandsOutAnIdAndASecret) {
  start_server();
  const auto link = connect();
  EXPECT_EQ(link.hello.session_id.size(), 16u);
  EXPECT_EQ(link.hello.resume_secret.size(), 32u);
  EXPECT_EQ(link.hello.received_frames, 0u);
  EXPECT_EQ(link.hello.features, std::vector<std::string>{"resume"});
}

TEST_F(ResumeTest, NotToAClientThatDoesNotAskForIt) {
  start_server();
  const auto peer = dial("twin");
  const auto hello = peer->exchange_hello();
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->session_id, "");
  EXPECT_EQ(hello->resume_secret, "");
}

TEST_F(ResumeTest, AnAnswerThatWasNotReceivedComesAgainAndTheHandlerRanOnce) {
  start_server();
  auto first = connect();
  run(first, 1, "once");
  expect_answer(first, 1);
  first.lose();

  auto second = connect(first.ticket(), /*received_frames=*/0);
  EXPECT_EQ(second.hello.session_id, first.hello.session_id);
  EXPECT_NE(second.hello.resume_secret, first.hello.resume_secret);
  EXPECT_EQ(second.hello.received_frames, 1u) << "the CALL";
  expect_answer(second, 1);
  EXPECT_EQ(runs_of("once"), "1");
}

TEST_F(ResumeTest, WhatWasReceivedDoesNotComeAgain) {
  start_server();
  auto first = connect();
  run(first, 1, "a");
  expect_answer(first, 1);
  first.lose();
  auto second = connect(first.ticket(), /*received_frames=*/1);
  run(second, 2, "b");
  expect_answer(second, 2);
}

TEST_F(ResumeTest, ACallOfTheServerWaitsForItsClientToComeBack) {
  start_server({"--return-wait", "60"});
  auto first = connect();
  ASSERT_TRUE(server_knows("twin"));
  CurlRun caller({S("/client/twin/anything")});
  const auto call = first.peer->next_of(FrameType::call);
  ASSERT_TRUE(call);
  first.lose();
  ASSERT_TRUE(server_forgets("twin"));

  auto second = connect(first.ticket(), /*received_frames=*/1);
  std::string reply;
  pipe::ReplyHead head;
  head.code = 7;
  head.content_type = "text/plain";
  pipe::append_reply(head, "back", true, call->header.call, reply);
  ASSERT_TRUE(second.peer->send(reply));
  expect_reply(caller.finish(), "7", "text/plain", "back");
}

TEST_F(ResumeTest, AStolenSecretGetsNothing) {
  start_server();
  auto owner = connect();
  run(owner, 1, "mine");
  expect_answer(owner, 1);
  owner.lose();
  ASSERT_TRUE(server_forgets("twin"));

  auto thief = connect(owner.ticket(), 0, "mallory");
  EXPECT_NE(thief.hello.session_id, owner.hello.session_id);
  EXPECT_EQ(thief.hello.received_frames, 0u);
  EXPECT_FALSE(thief.peer->next_of(FrameType::reply, 300ms));

  auto again = connect(owner.ticket(), 0);
  EXPECT_EQ(again.hello.session_id, owner.hello.session_id);
  expect_answer(again, 1);
}

TEST_F(ResumeTest, ASecretThatWasUsedUpGetsANewSession) {
  start_server();
  auto first = connect();
  run(first, 1, "a");
  expect_answer(first, 1);
  first.lose();
  auto second = connect(first.ticket(), 1);
  ASSERT_EQ(second.hello.session_id, first.hello.session_id);
  run(second, 2, "b");  // shows that the new secret has arrived
  expect_answer(second, 2);
  second.lose();

  auto stale = connect(first.ticket(), 0);
  EXPECT_NE(stale.hello.session_id, first.hello.session_id);
  EXPECT_EQ(stale.hello.received_frames, 0u);
  EXPECT_FALSE(stale.peer->next_of(FrameType::reply, 300ms));
}

TEST_F(ResumeTest, ASecretIsGoodUntilItsSuccessorHasArrived) {
  start_server();
  auto first = connect();
  first.lose();
  for (int i = 0; i < 3; ++i) {
    auto unheard = connect(first.ticket(), 0);
    ASSERT_EQ(unheard.hello.session_id, first.hello.session_id) << i;
  }
  auto last = connect(first.ticket(), 0);
  EXPECT_EQ(last.hello.session_id, first.hello.session_id);
}

TEST_F(ResumeTest, AnInventedSessionIsANewOne) {
  start_server();
  const auto link = connect({std::string(16, 'i'), std::string(32, 's')}, 5);
  EXPECT_NE(link.hello.session_id, std::string(16, 'i'));
  EXPECT_EQ(link.hello.received_frames, 0u);
  EXPECT_TRUE(server_knows("twin"));
}

TEST_F(ResumeTest, ALinkThatIsStillUpGivesWay) {
  start_server();
  auto first = connect();
  run(first, 1, "once");
  expect_answer(first, 1);
  auto second = connect(first.ticket(), 0);
  EXPECT_EQ(second.hello.session_id, first.hello.session_id);
  EXPECT_TRUE(first.peer->closes());
  expect_answer(second, 1);
  EXPECT_EQ(runs_of("once"), "1");
  EXPECT_TRUE(server_knows("twin", 0s));
}

TEST_F(ResumeTest, OfTwoResumesAtOnceExactlyOneWins) {
  start_server();
  auto first = connect();
  run(first, 1, "once");
  expect_answer(first, 1);
  first.lose();
  const Ticket ticket = first.ticket();

  auto one = dial("twin");
  auto other = dial("twin");
  ASSERT_TRUE(one->send(pipe::encode_hello(hello_with(ticket, 0))));
  ASSERT_TRUE(other->send(pipe::encode_hello(hello_with(ticket, 0))));
  // Whoever was accepted later keeps the session; the answer is there, once.
  const auto hello = other->next_of(FrameType::hello);
  ASSERT_TRUE(hello);
  EXPECT_EQ(pipe::decode_hello(hello->payload)->session_id, ticket.session_id);
  EXPECT_TRUE(other->next_of(FrameType::reply));
  EXPECT_TRUE(one->closes());
  EXPECT_EQ(runs_of("once"), "1");
}

TEST_F(ResumeTest, ALieAboutTheCountEndsThatSessionAndNoOther) {
  start_server();
  auto bystander = connect({}, 0, "beta");
  auto first = connect();
  run(first, 1, "a");
  expect_answer(first, 1);
  first.lose();
  ASSERT_TRUE(server_forgets("twin"));

  auto liar = dial("twin");
  ASSERT_TRUE(liar->send(pipe::encode_hello(hello_with(first.ticket(), 1'000))));
  EXPECT_EQ(goodbye_of(*liar), Errc::protocol_violation);
  EXPECT_TRUE(liar->closes());

  auto after = connect(first.ticket(), 1);
  EXPECT_NE(after.hello.session_id, first.hello.session_id);
  run(bystander, 1, "b");
  expect_answer(bystander, 1);
}

TEST_F(ResumeTest, AnAcknowledgementOfWhatWasNotSentEndsTheSession) {
  start_server();
  auto first = connect();
  ASSERT_TRUE(first.peer->send(pipe::encode_ack(5)));
  EXPECT_EQ(goodbye_of(*first.peer), Errc::protocol_violation);
  first.lose();
  const auto after = connect(first.ticket(), 0);
  EXPECT_NE(after.hello.session_id, first.hello.session_id);
}

TEST_F(ResumeTest, ASessionIsKeptForItsGraceOnly) {
  start_server({"--session-grace", "1", "--return-wait", "60"});
  auto first = connect();
  ASSERT_TRUE(server_knows("twin"));
  CurlRun caller({S("/client/twin/anything")});
  ASSERT_TRUE(first.peer->next_of(FrameType::call));
  const auto lost = TestClock::now();
  first.lose();
  const auto answer = caller.finish();
  EXPECT_EQ(answer.status, 502);
  EXPECT_TRUE(contains(answer.body, "\"session_lost\"")) << answer.body;
  EXPECT_TRUE(contains(answer.body, "may have run")) << answer.body;
  EXPECT_GE(TestClock::now() - lost, 900ms);
  EXPECT_LT(TestClock::now() - lost, kPatience) << "return_wait is 60 s";

  const auto late = connect(first.ticket(), 1);
  EXPECT_NE(late.hello.session_id, first.hello.session_id);
}

TEST_F(ResumeTest, AGoodbyeIsTheEndOfTheSession) {
  start_server();
  auto first = connect();
  ASSERT_TRUE(first.peer->send(pipe::encode_goodbye({.reason = {Errc::stopped, "bye"}})));
  EXPECT_TRUE(first.peer->closes());
  first.lose();
  const auto after = connect(first.ticket(), 0);
  EXPECT_NE(after.hello.session_id, first.hello.session_id);
}

TEST_F(ResumeTest, ANewSessionOfTheIdentityEndsTheOldOneAtOnce) {
  start_server({"--return-wait", "60"});
  auto first = connect();
  ASSERT_TRUE(server_knows("twin"));
  CurlRun caller({S("/client/twin/anything")});
  ASSERT_TRUE(first.peer->next_of(FrameType::call));
  first.lose();
  ASSERT_TRUE(server_forgets("twin"));
  const auto again = TestClock::now();
  const auto second = connect();
  EXPECT_NE(second.hello.session_id, first.hello.session_id);
  const auto answer = caller.finish();
  EXPECT_LT(TestClock::now() - again, kPatience) << "return_wait is 60 s";
  EXPECT_EQ(answer.status, 502);
  EXPECT_TRUE(contains(answer.body, "\"session_lost\"")) << answer.body;
}

TEST_F(ResumeTest, SessionsWithoutALinkCountAsClients) {
  start_server({"--limits-pipes-max", "1"});
  auto first = connect();
  first.lose();
  ASSERT_TRUE(server_forgets("twin"));
  EXPECT_TRUE(contains(raw_http(server_->rest_port(),
                                "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                "Connection: close\r\n\r\n"),
                       "restpipe_sessions_detached 1"));
  auto other = dial("beta");
  ASSERT_TRUE(other->send(pipe::encode_hello(hello_with({}, 0))));
  EXPECT_EQ(goodbye_of(*other), Errc::overloaded);
  const auto second = connect(first.ticket(), 0);
  EXPECT_EQ(second.hello.session_id, first.hello.session_id);
}

}  // namespace
}  // namespace rp::product
