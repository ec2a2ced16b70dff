#include "rest/event_gateway.h"

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/rest/gateway_fixture.h"

namespace rp::rest::test {
namespace {

using namespace std::chrono_literals;
using pipe::Errc;

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
  EXPECT_EQ(submission.event.headers, (pipe::Headers{{"content-type", "text/csv;charset=x"},
                                                     {"accept", "a/b"},
                                                     {"traceparent", "00-1"}}));
  EXPECT_EQ(submission.event.deadline, pipe::Clock::time_point::max());
}

TEST_F(EventGatewayTest, TellsWhatWasWrittenWhereASlashIsEncoded) {
  reply_with({}, "");
  serve();
  front_->ask(get("/serv%65r/a%2Fb/c%252Fd%20e?x=%2F"));
  const auto submission = target_.submissions.take().value();
  EXPECT_EQ(submission.event.noun, "a/b/c%2Fd e");
  EXPECT_EQ(submission.event.headers, (pipe::Headers{{"x-event-noun", "a%2Fb/c%252Fd%20e"}}));
  for (const char* plain : {"/server/a%20b?x=%2F", "/server/a%252Fb", "/server/a%2"}) {
    front_->ask(get(plain));
    EXPECT_TRUE(target_.submissions.take()->event.headers.empty()) << plain;
  }
}

TEST_F(EventGatewayTest, TellsHeadFromGet) {
  reply_with({}, "");
  serve();
  front_->ask("HEAD /server/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(target_.submissions.take()->event.headers, (pipe::Headers{{"x-event-method", "HEAD"}}));
}

TEST_F(EventGatewayTest, ForwardsCredentialsOnlyWhenTold) {
  GatewayOptions options;
  options.forwarded_headers = {"cookie", "authorization", "proxy-authorization", "x-fine"};
  reply_with({}, "");
  serve(options);
  front_->ask(
      get("/server/a", "Cookie: a\r\nAuthorization: b\r\nProxy-Authorization: c\r\nX-Fine: d\r\n"));
  EXPECT_EQ(target_.submissions.take()->event.headers,
            (pipe::Headers{{"cookie", "a"}, {"authorization", "b"}, {"x-fine", "d"}}));
}

TEST_F(EventGatewayTest, NeverForwardsTheNodesOwnToken) {
  GatewayOptions options;
  options.forwarded_headers = {"cookie", "authorization"};
  options.own_authorization = true;
  reply_with({}, "");
  serve(options);
  front_->ask(get("/server/a", "Cookie: a\r\nAuthorization: Bearer x\r\n"));
  EXPECT_EQ(target_.submissions.take()->event.headers, (pipe::Headers{{"cookie", "a"}}));
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

TEST_F(EventGatewayTest, TellsTheLengthOfAStreamThatKnowsIt) {
  target_.answer_with([](Submission& s) {
    pipe::ReplyHead head;
    head.body_bytes = 3;
    s.sink->begin(std::move(head));
    s.sink->data("abc");
    s.sink->end();
  });
  serve();
  const auto answer = front_->ask(get("/server/a"));
  EXPECT_EQ(answer.header("content-length"), "3");
  EXPECT_EQ(answer.body, "abc");
}

TEST_F(EventGatewayTest, TheHeadOfAStreamIsEnoughForHead) {
  for (const bool at_once : {true, false}) {
    target_.control = std::make_shared<RecordingControl>();
    const auto begin = [](pipe::ReplySink& sink) {
      pipe::ReplyHead head;
      head.body_bytes = 5'000'000'000;
      sink.begin(std::move(head));
    };
    target_.answer_with([&](Submission& s) {
      if (at_once) begin(*s.sink);
    });
    if (!front_) serve();
    auto client = front_->connect();
    client.send("HEAD /server/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const auto submission = target_.submissions.take().value();
    if (!at_once) begin(*submission.sink);
    const auto answer = client.read_answer(true);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("content-length"), "5000000000");
    EXPECT_TRUE(eventually([&] { return target_.control->cancelled == 1; }));
  }
}

TEST_F(EventGatewayTest, TakesTheReasonFromAReplyWithAStatus) {
  pipe::ReplyHead head{0, "text/plain", {{"x-event-reason", "Message is empty."}}};
  head.http_status = 400;
  reply_with(head, "x");
  serve();
  const auto answer = front_->ask(get("/server/a"));
  EXPECT_EQ(answer.reason, "Message is empty.");
  EXPECT_FALSE(answer.has("x-event-reason"));
}

TEST_F(EventGatewayTest, ShowsTheStatusOfAReplyThatStandsForAnHttpResponse) {
  pipe::ReplyHead head{404, "text/html", {{"location", "../login"}, {"set-cookie", "a=1"}}};
  head.http_status = 303;
  reply_with(head, "moved");
  serve();
  const auto answer = front_->ask(get("/server/app//x"));
  EXPECT_EQ(answer.status, 303);
  EXPECT_EQ(answer.header("x-event-return-code"), "404");
  EXPECT_EQ(answer.header("location"), "../login");
  EXPECT_EQ(answer.header("set-cookie"), "a=1");
  EXPECT_EQ(answer.body, "moved");
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
      sink->reply({0, "t/t", {}}, std::string(noun));
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

}  // namespace
}  // namespace rp::rest::test
