#include "rest/event_gateway.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "rest/problem.h"
#include "tests/rest/front_end.h"

namespace rp::rest::test {
namespace {

using namespace std::chrono_literals;
using pipe::Errc;

class RecordingControl final : public pipe::CallControl {
 public:
  void cancel() override { ++cancelled; }
  void consumed(std::size_t bytes) override { consumed_bytes += bytes; }

  std::atomic<int> cancelled{0};
  std::atomic<std::size_t> consumed_bytes{0};
};

/// One event as a target sees it.
struct Submission {
  pipe::Event event;
  std::string body;
  pipe::Origin origin;
  std::shared_ptr<pipe::ReplySink> sink;
};

/// Answers through a function that the test gives, and remembers the last submission.
class Target final : public pipe::EventTarget {
 public:
  std::shared_ptr<pipe::CallControl> submit(pipe::Event event, std::string body,
                                            pipe::Origin origin,
                                            std::shared_ptr<pipe::ReplySink> sink) override {
    Submission submission{std::move(event), std::move(body), std::move(origin), std::move(sink)};
    const auto answer = [this] {
      const std::lock_guard lock(mutex_);
      return answer_;
    }();
    if (answer) answer(submission);
    submissions.put(std::move(submission));
    return control;
  }

  void answer_with(std::function<void(Submission&)> answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }

  Handover<Submission> submissions;
  std::shared_ptr<RecordingControl> control = std::make_shared<RecordingControl>();

 private:
  std::mutex mutex_;
  std::function<void(Submission&)> answer_;
};

class EventGatewayTest : public testing::Test {
 protected:
  void serve(GatewayOptions options = {}) {
    gateway_.emplace(std::move(options));
    router_.prefix("/server/", {}, [this](std::shared_ptr<Exchange> exchange) { route(exchange); });
    router_.prefix("/client/", {}, [this](std::shared_ptr<Exchange> exchange) { route(exchange); });
    front_.emplace([this](const std::shared_ptr<Exchange>& exchange) { router_(exchange); });
  }
  void route(const std::shared_ptr<Exchange>& exchange) {
    auto address = parse_event_address(exchange->request().path());
    if (!address) return exchange->respond(to_response(not_found(), exchange->request()));
    gateway_->serve(exchange, *address, target_);
  }
  void reply_with(pipe::ReplyHead head, std::string body) {
    target_.answer_with([head, body](Submission& s) { s.sink->reply(head, body); });
  }
  void fail_with(Errc code, std::string detail = "") {
    target_.answer_with([code, detail](Submission& s) { s.sink->fail({code, detail}); });
  }

  Target target_;
  std::optional<EventGateway> gateway_;
  Router router_;
  std::optional<FrontEnd> front_;
};

TEST_F(EventGatewayTest, TurnsARequestIntoAnEvent) {
  reply_with({0, "text/plain", {}}, "");
  serve();
  front_->ask(post("/server/cat//hello%20/world?x=1&x=%202", "the body",
                   "Content-Type: text/csv;charset=x\r\nAccept: a/b\r\nCookie: secret\r\n"
                   "Authorization: secret\r\nX-Other: no\r\nTraceparent: 00-1\r\n"));
  const auto submission = target_.submissions.take().value();
  EXPECT_EQ(submission.event.verb, "post");
  EXPECT_EQ(submission.event.noun, "cat//hello /world");
  EXPECT_EQ(submission.event.query, "x=1&x=%202");
  EXPECT_EQ(submission.event.content_type, "text/csv");
  EXPECT_EQ(submission.body, "the body");
  EXPECT_EQ(submission.origin.node, "");
  EXPECT_EQ(submission.origin.address, "127.0.0.1");
  EXPECT_NE(submission.origin.port, 0);
  EXPECT_EQ(submission.event.headers, (pipe::Headers{{"accept", "a/b"}, {"traceparent", "00-1"}}));
  EXPECT_EQ(submission.event.deadline, pipe::Clock::time_point::max());
}

TEST_F(EventGatewayTest, NeverForwardsCredentialsEvenWhenTold) {
  GatewayOptions options;
  options.forwarded_headers = {"cookie", "authorization", "proxy-authorization", "x-fine"};
  reply_with({}, "");
  serve(options);
  front_->ask(
      get("/server/a", "Cookie: a\r\nAuthorization: b\r\nProxy-Authorization: c\r\nX-Fine: d\r\n"));
  EXPECT_EQ(target_.submissions.take()->event.headers, (pipe::Headers{{"x-fine", "d"}}));
}

TEST_F(EventGatewayTest, HasAVerbForEachMethodThatIsAnEvent) {
  reply_with({}, "");
  serve();
  for (const auto& [method, verb] : std::map<std::string, std::string>{{"GET", "get"},
                                                                       {"POST", "post"},
                                                                       {"PUT", "put"},
                                                                       {"DELETE", "delete"},
                                                                       {"PATCH", "patch"},
                                                                       {"HEAD", "get"}}) {
    EXPECT_EQ(front_->ask(method + " /server/a HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
    EXPECT_EQ(target_.submissions.take()->event.verb, verb);
  }
}

TEST_F(EventGatewayTest, AnswersOtherMethodsWith405) {
  serve();
  for (const std::string method : {"OPTIONS", "TRACE", "get", "Post", "PROPFIND"}) {
    const auto answer = front_->ask(method + " /server/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(answer.header("allow"), "GET, HEAD, POST, PUT, DELETE, PATCH");
    EXPECT_NE(answer.body.find("PATCH"), std::string::npos);
    EXPECT_FALSE(answer.has("x-event-return-code"));
  }
}

TEST_F(EventGatewayTest, CarriesAnEmptyNounTypeAndBody) {
  reply_with({}, "");
  serve();
  front_->ask(get("/server/"));
  const auto submission = target_.submissions.take().value();
  EXPECT_EQ(submission.event.noun, "");
  EXPECT_EQ(submission.event.content_type, "");
  EXPECT_EQ(submission.body, "");
}

TEST_F(EventGatewayTest, KeepsTheContentTypeUntrimmedUpToTheSemicolon) {
  reply_with({}, "");
  serve();
  front_->ask(post("/server/a", "", "Content-Type: Text/CSV ; charset=x\r\n"));
  EXPECT_EQ(target_.submissions.take()->event.content_type, "Text/CSV ");
}

TEST_F(EventGatewayTest, CarriesTheBodyOfAGet) {
  reply_with({}, "");
  serve();
  front_->ask("GET /server/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(target_.submissions.take()->body, "hi");
}

TEST_F(EventGatewayTest, AnswersAReplyWith200WhateverItsCode) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  reply_with({4294967295U, "a/b; charset=x", {}}, bytes);
  serve();
  const auto answer = front_->ask(get("/server/a"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("x-event-return-code"), "4294967295");
  EXPECT_EQ(answer.header("content-type"), "a/b; charset=x");
  EXPECT_EQ(answer.body, bytes);
}

TEST_F(EventGatewayTest, SendsNoContentTypeWhenTheHandlerGaveNone) {
  reply_with({0, "", {}}, "x");
  serve();
  EXPECT_FALSE(front_->ask(get("/server/a")).has("content-type"));
}

TEST_F(EventGatewayTest, RefusesAContentTypeThatWouldBreakOut) {
  for (const std::string& type :
       {std::string("text/plain\r\nX-Evil: 1"), std::string("a\nb"), std::string("a\0b", 3)}) {
    target_.answer_with([&](Submission& s) { s.sink->reply({0, type, {}}, "x"); });
    if (!front_) serve();
    const auto answer = front_->ask(get("/server/a"));
    EXPECT_EQ(answer.status, 500);
    EXPECT_FALSE(answer.has("x-evil"));
    EXPECT_FALSE(answer.has("x-event-return-code"));
  }
}

TEST_F(EventGatewayTest, LetsHandlersSetHeadersThatAreTheirs) {
  reply_with({0,
              "text/plain",
              {{"etag", "\"1\""},
               {"connection", "close"},
               {"content-length", "99"},
               {"transfer-encoding", "chunked"},
               {"x-event-return-code", "7"},
               {"x-request-id", "mine"},
               {"access-control-allow-origin", "*"},
               {"x-bad", "a\r\nb: c"},
               {"date", "never"}}},
             "body");
  serve();
  const auto answer = front_->ask(get("/server/a", "X-Request-Id: yours\r\n"));
  EXPECT_EQ(answer.header("etag"), "\"1\"");
  EXPECT_EQ(answer.header("x-event-return-code"), "0");
  EXPECT_EQ(answer.header("x-request-id"), "yours");
  EXPECT_EQ(answer.body, "body");
  for (const auto* name :
       {"connection", "transfer-encoding", "access-control-allow-origin", "x-bad"})
    EXPECT_FALSE(answer.has(name)) << name;
}

TEST_F(EventGatewayTest, KeepsASaneRequestIdAndMakesOneOtherwise) {
  reply_with({}, "");
  serve();
  const auto id_for = [&](const std::string& header) {
    const auto answer = front_->ask(get("/server/a", header));
    EXPECT_EQ(target_.submissions.take()->event.request_id, answer.header("x-request-id"));
    return answer.header("x-request-id");
  };
  EXPECT_EQ(id_for("X-Request-Id: Az-09._:\r\n"), "Az-09._:");
  EXPECT_EQ(id_for("").size(), 26U);
  EXPECT_EQ(id_for("X-Request-Id: a b\r\n").size(), 26U);
  EXPECT_EQ(id_for("X-Request-Id: " + std::string(129, 'a') + "\r\n").size(), 26U);
  std::set<std::string> ids;
  for (int i = 0; i < 10'000; ++i) ids.insert(make_request_id());
  EXPECT_EQ(ids.size(), 10'000U);
}

TEST_F(EventGatewayTest, TakesTheDeadlineFromTheRequest) {
  reply_with({}, "");
  serve();
  const auto before = pipe::Clock::now();
  front_->ask(get("/server/a", "Request-Timeout: 2.5\r\n"));
  const auto left = target_.submissions.take()->event.deadline - before;
  EXPECT_GE(left, 2500ms);
  EXPECT_LT(left, 2500ms + kPatience);
}

TEST_F(EventGatewayTest, BoundsAndDefaultsTheDeadline) {
  GatewayOptions options;
  options.call_timeout = 1000s;
  options.call_timeout_max = 2000s;
  reply_with({}, "");
  serve(options);
  const auto left = [&](const std::string& header) {
    front_->ask(get("/server/a", header));
    return target_.submissions.take()->event.deadline - pipe::Clock::now();
  };
  EXPECT_LE(left(""), 1000s);
  EXPECT_GT(left(""), 900s);
  EXPECT_LE(left("Request-Timeout: 999999\r\n"), 2000s);
  EXPECT_GT(left("Request-Timeout: 999999\r\n"), 1900s);
}

TEST_F(EventGatewayTest, RefusesATimeoutThatIsNoTime) {
  serve();
  for (const std::string value : {"", "0", "-1", "abc", "1s", "nan", "inf", "1e9", "0x10", "1,5"}) {
    const auto answer = front_->ask(get("/server/a", "Request-Timeout: " + value + "\r\n"));
    EXPECT_EQ(answer.status, 400) << value;
    EXPECT_NE(answer.body.find("Request-Timeout"), std::string::npos);
  }
}

TEST_F(EventGatewayTest, StreamsAReplyAndReportsWhatWasConsumed) {
  serve();
  auto client = front_->connect();
  client.send(get("/server/a"));
  const auto submission = target_.submissions.take().value();
  submission.sink->begin({3, "text/plain", {}});
  submission.sink->data("one ");
  submission.sink->data("two");
  EXPECT_TRUE(eventually([&] { return target_.control->consumed_bytes == 7; }));
  submission.sink->end();
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.header("x-event-return-code"), "3");
  EXPECT_EQ(answer.header("transfer-encoding"), "chunked");
  EXPECT_EQ(answer.body, "one two");
}

TEST_F(EventGatewayTest, LetsAHandlerSayTheLengthOfItsStream) {
  target_.answer_with([](Submission& s) {
    s.sink->begin({0, "text/plain", {{"content-length", "3"}}});
    s.sink->data("abc");
    s.sink->end();
  });
  serve();
  const auto answer = front_->ask(get("/server/a"));
  EXPECT_EQ(answer.header("content-length"), "3");
  EXPECT_EQ(answer.body, "abc");
}

TEST_F(EventGatewayTest, CancelsWhenTheClientLeaves) {
  serve();
  auto client = front_->connect();
  client.send(get("/server/slow"));
  const auto submission = target_.submissions.take().value();
  client.close();
  EXPECT_TRUE(eventually([&] { return target_.control->cancelled == 1; }));
  submission.sink->fail({Errc::cancelled, ""});
}

TEST_F(EventGatewayTest, DoesNotCancelWhatIsAnswered) {
  reply_with({}, "");
  serve();
  front_->ask(get("/server/a"));
  EXPECT_TRUE(eventually([&] { return front_->stats().connections_open == 0; }));
  EXPECT_EQ(target_.control->cancelled, 0);
}

TEST_F(EventGatewayTest, TakesRepliesFromAnotherThread) {
  std::vector<std::thread> threads;
  target_.answer_with([&](Submission& s) {
    threads.emplace_back([sink = s.sink, noun = s.event.noun] {
      sink->reply({0, "t/t", {}}, noun);
    });
  });
  serve();
  auto client = front_->connect();
  for (int i = 0; i < 100; ++i) {
    const auto noun = std::to_string(i);
    client.send(get("/server/" + noun));
    EXPECT_EQ(client.read_answer().body, noun);
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(EventGatewayTest, ClosesAStreamThatFails) {
  target_.answer_with([](Submission& s) {
    s.sink->begin({0, "text/plain", {}});
    s.sink->data("half");
    s.sink->fail({Errc::handler_failed, ""});
  });
  serve();
  EXPECT_FALSE(front_->ask(get("/server/a")).complete);
}

struct Mapped {
  Errc code;
  int status;
  const char* client_reason;
  bool retryable;
};

class FailureTest : public EventGatewayTest, public testing::WithParamInterface<Mapped> {};

TEST_P(FailureTest, BecomesAProblem) {
  fail_with(GetParam().code, "what was wrong");
  serve();
  const auto answer =
      front_->ask(get("/client/web/a", "Accept: application/json\r\nX-Request-Id: id1\r\n"));
  EXPECT_EQ(answer.status, GetParam().status);
  EXPECT_EQ(answer.reason, GetParam().client_reason);
  EXPECT_EQ(answer.header("content-type"), "application/problem+json");
  EXPECT_FALSE(answer.has("x-event-return-code"));
  EXPECT_EQ(answer.header("x-request-id"), "id1");
  EXPECT_EQ(answer.has("retry-after"), GetParam().status == 503);
  const auto code = "\"code\":\"" + std::string(pipe::name(GetParam().code)) + "\"";
  EXPECT_NE(answer.body.find(code), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("\"detail\":\"what was wrong\""), std::string::npos);
  EXPECT_NE(answer.body.find("\"request_id\":\"id1\""), std::string::npos);
  EXPECT_NE(answer.body.find(GetParam().retryable ? "\"retryable\":true" : "\"retryable\":false"),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Every, FailureTest,
    testing::Values(Mapped{Errc::unknown_peer, 404, "Hostname not resolvable", false},
                    Mapped{Errc::resolve_failed, 500, "Hostname resolution error", true},
                    Mapped{Errc::peer_unavailable, 503, "Client connection unavailable", true},
                    Mapped{Errc::ambiguous_peer, 409, "Conflict", false},
                    Mapped{Errc::deadline_exceeded, 504, "Gateway Timeout", false},
                    Mapped{Errc::session_lost, 502, "Bad Gateway", false},
                    Mapped{Errc::link_lost, 502, "Bad Gateway", false},
                    Mapped{Errc::handler_failed, 502, "Bad Gateway", false},
                    Mapped{Errc::replaced, 502, "Bad Gateway", false},
                    Mapped{Errc::not_sent, 503, "Service Unavailable", true},
                    Mapped{Errc::overloaded, 503, "Service Unavailable", true},
                    Mapped{Errc::draining, 503, "Service Unavailable", true},
                    Mapped{Errc::stopped, 503, "Service Unavailable", true},
                    Mapped{Errc::body_too_large, 413, "Content Too Large", false},
                    Mapped{Errc::cancelled, 499, "Client Closed Request", false}),
    [](const auto& row) { return std::string(pipe::name(row.param.code)); });

TEST_F(EventGatewayTest, GivesPlainClientsTheReferencesForms) {
  for (const auto code : {Errc::unknown_peer, Errc::resolve_failed, Errc::peer_unavailable}) {
    fail_with(code);
    if (!front_) serve();
    for (const std::string accept : {"", "Accept: */*\r\n", "Accept: text/html\r\n"}) {
      const auto answer = front_->ask(get("/client/web/a", accept));
      EXPECT_EQ(answer.body, "") << pipe::name(code);
      EXPECT_FALSE(answer.has("content-type"));
    }
  }
}

TEST_F(EventGatewayTest, SaysThatItIsTheServerWhichIsAway) {
  fail_with(Errc::peer_unavailable);
  serve();
  const auto answer = front_->ask(get("/server/a"));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.reason, "Server connection unavailable");
  EXPECT_EQ(answer.header("content-type"), "application/problem+json");
}

TEST_F(EventGatewayTest, SaysWhetherTheHandlerMayHaveRun) {
  fail_with(Errc::session_lost);
  serve();
  EXPECT_NE(front_->ask(get("/server/a")).body.find("\"may_have_run\":true"), std::string::npos);
  fail_with(Errc::not_sent);
  EXPECT_NE(front_->ask(get("/server/a")).body.find("\"may_have_run\":false"), std::string::npos);
}

TEST_F(EventGatewayTest, GivesTextToThoseWhoTakeNoJson) {
  fail_with(Errc::deadline_exceeded, "too slow");
  serve();
  const auto answer = front_->ask(get("/server/a", "Accept: text/html, */*;q=0\r\n"));
  EXPECT_EQ(answer.header("content-type"), "text/plain");
  EXPECT_EQ(answer.body, "too slow\n");
}

TEST_F(EventGatewayTest, AnswersUnroutedPathsLikeTheReference) {
  serve();
  for (const auto* path : {"/", "/server", "/client/localhost", "/client/a:b/x", "/client/[::1]/x",
                           "//server/time", "/other"}) {
    const auto answer = front_->ask(get(path));
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.reason, "Not Found");
    EXPECT_EQ(answer.header("content-type"), "text/html");
    EXPECT_EQ(answer.body, "not found");
    EXPECT_FALSE(answer.has("x-event-return-code"));
  }
  const auto json = front_->ask(get("/", "Accept: application/json\r\n"));
  EXPECT_EQ(json.status, 404);
  EXPECT_EQ(json.header("content-type"), "application/problem+json");
}

TEST(RouterTest, PrefersTheExactPathThenTheLongestPrefix) {
  Router router;
  const auto says = [](const char* name) {
    return [name](const std::shared_ptr<Exchange>& exchange) { exchange->respond(ok(name)); };
  };
  router.prefix("/a/", {}, says("short"));
  router.prefix("/a/b/", {}, says("long"));
  router.exact("/a/b/c", {"GET"}, says("exact"));
  router.exact("/only", {"GET", "POST"}, says("only"));
  const FrontEnd front([&](const std::shared_ptr<Exchange>& exchange) { router(exchange); });
  EXPECT_EQ(front.ask(get("/a/x")).body, "short");
  EXPECT_EQ(front.ask(get("/a/b/x")).body, "long");
  EXPECT_EQ(front.ask(get("/a/b/c")).body, "exact");
  EXPECT_EQ(front.ask(get("/a")).status, 404);
  EXPECT_EQ(front.ask("HEAD /only HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
  const auto refused = front.ask("PUT /only HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.header("allow"), "GET, HEAD, POST");
}

}  // namespace
}  // namespace rp::rest::test
