#include <future>

#include "tests/handlers/local/proxy_fixture.h"

namespace rp::handlers {
namespace {

TEST_F(ProxyTest, ARequestBecomesARequestOfTheApplication) {
  std::promise<std::string> seen;
  serve([&](AppConnection& app) {
    const auto head = app.read_head();
    seen.set_value(head + app.read(8));
    app.send(kHello);
  });
  auto event = make_event("post", "app//a b/c//d");
  event.query = "x=1&y=%20#\xff z";
  event.content_type = "multipart/form-data";
  event.headers = {{"content-type", "multipart/form-data; boundary=x"},
                   {"accept", "text/html"},
                   {"cookie", "a=1"},
                   {"connection", "close"},
                   {"transfer-encoding", "chunked"},
                   {"content-length", "99"},
                   {"host", "evil.example"},
                   {"x-restpipe-caller", "mallory"}};
  const auto asked = call(std::move(event), "the body");
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->body(), "hello");
  EXPECT_EQ(seen.get_future().get(),
            "POST /a%20b/c//d?x=1&y=%20%23%FF%20z HTTP/1.1\r\n"
            "Host: " +
                authority() +
                "\r\n"
                "accept: text/html\r\n"
                "cookie: a=1\r\n"
                "Content-Type: multipart/form-data; boundary=x\r\n"
                "x-request-id: req-1\r\n"
                "x-restpipe-caller: alice\r\n"
                "Content-Length: 8\r\n\r\n"
                "the body");
}

TEST_F(ProxyTest, AnEncodedSlashArrivesAsItWasWritten) {
  std::promise<std::string> seen;
  serve([&](AppConnection& app) {
    seen.set_value(app.read_head());
    app.send("HTTP/1.1 303 See Other\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n");
  });
  auto event = make_event("get", "app//@scope/name/1.0");
  event.headers = {{"x-event-noun", "app//@scope%2Fname/1.0"}, {"x-event-method", "HEAD"}};
  const auto asked = call(std::move(event));
  ASSERT_TRUE(asked->wait_done());
  const auto head = seen.get_future().get();
  EXPECT_TRUE(head.starts_with("GET /@scope%2Fname/1.0 HTTP/1.1\r\n")) << head;
  EXPECT_EQ(head.find("x-event-"), std::string::npos) << head;
  EXPECT_EQ(header(asked, "location"), "../login") << "the browser sees one directory";
}

TEST_F(ProxyTest, EveryVerbArrives) {
  serve([](AppConnection& app) {
    for (auto head = app.read_head(); !head.empty(); head = app.read_head()) {
      const auto verb = head.substr(0, head.find(' '));
      const auto length = head.find("Content-Length: 0");
      const auto body = verb + (length == std::string::npos ? "" : "+");
      app.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
               body);
    }
  });
  EXPECT_EQ(answered("get", "app//x")->body(), "GET");
  EXPECT_EQ(answered("delete", "app//x")->body(), "DELETE");
  EXPECT_EQ(answered("post", "app//x")->body(), "POST+");
  EXPECT_EQ(answered("put", "app//x")->body(), "PUT+");
  EXPECT_EQ(answered("patch", "app//x")->body(), "PATCH+");
}

TEST_F(ProxyTest, TheApplicationsHeadIsTheReplys) {
  serve(
      always("HTTP/1.1 404 Gone Fishing\r\nContent-Type: text/html; charset=x\r\n"
             "Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nX-Hop: 1\r\nConnection: X-Hop\r\n"
             "Keep-Alive: timeout=5\r\nETag: \"1\"\r\nContent-Length: 2\r\n\r\nno"));
  const auto asked = answered("get", "app//x");
  EXPECT_EQ(asked->head().http_status, 404);
  EXPECT_EQ(asked->head().code, 404U);
  EXPECT_EQ(asked->head().content_type, "text/html; charset=x");
  EXPECT_EQ(header(asked, "set-cookie"), "a=1; Path=/|b=2");
  EXPECT_EQ(header(asked, "etag"), "\"1\"");
  for (const char* name : {"x-hop", "connection", "keep-alive", "content-length"}) {
    EXPECT_EQ(header(asked, name), "") << name;
  }
  EXPECT_EQ(asked->body(), "no");
}

TEST_F(ProxyTest, ARedirectionStaysInsideTheMount) {
  serve([&](AppConnection& app) {
    while (!app.read_head().empty()) {
      app.send("HTTP/1.1 303 See Other\r\nLocation: http://" + authority() +
               "/login?to=1\r\nContent-Length: 0\r\n\r\n");
    }
  });
  const auto asked = answered("post", "app//a/b");
  EXPECT_EQ(asked->head().http_status, 303);
  EXPECT_EQ(asked->head().code, 0U);
  EXPECT_EQ(header(asked, "location"), "../login?to=1");
}

TEST_F(ProxyTest, AUnixSocketIsAnAddress) {
  const auto path = (directory_ / "app.sock").string();
  ScriptedApp app(always("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"),
                  path);
  mount({"", 0, path});
  EXPECT_EQ(answered("get", "app")->body(), "hello");
}

TEST_F(ProxyTest, ConnectionsAreUsedAgain) {
  serve(always(kHello));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(answered("get", "app//")->body(), "hello");
  EXPECT_EQ(app_->connections(), 1);
}

TEST_F(ProxyTest, AStaleConnectionIsReplaced) {
  serve([](AppConnection& app) {
    app.read_head();
    app.send(kHello);
    if (app.read_head().empty()) return;  // closes just when it is asked again
  });
  EXPECT_EQ(answered("get", "app//1")->body(), "hello");
  EXPECT_EQ(answered("get", "app//2")->body(), "hello");
  EXPECT_EQ(app_->connections(), 2);
}

TEST_F(ProxyTest, WhatMayHaveRunIsNotSentTwice) {
  serve([](AppConnection& app) { app.read_head(); });
  const auto asked = answered("post", "app//order", "one");
  EXPECT_EQ(asked->error(), pipe::Errc::handler_failed);
  EXPECT_EQ(app_->connections(), 1);
}

TEST_F(ProxyTest, AnAbsentApplicationIsNamed) {
  std::uint16_t port = 0;
  {
    ScriptedApp gone(always(kHello));
    port = gone.port();
  }
  mount({"", port, ""});
  const auto asked = answered("get", "app//");
  ASSERT_EQ(asked->error(), pipe::Errc::handler_unavailable);
  EXPECT_EQ(asked->failure()->detail, "the application app did not answer: Connection refused");
}

TEST_F(ProxyTest, WhatIsNoHttpIsAnError) {
  for (const std::string response :
       {"nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 101 Switching\r\n\r\n",
        "HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n"}) {
    serve([response](AppConnection& app) {
      app.read_head();
      app.send(response);
    });
    EXPECT_EQ(answered("get", "app//")->error(), pipe::Errc::handler_failed) << response;
  }
}

TEST_F(ProxyTest, AHeadBeyondTheLimitsIsAnError) {
  std::string many = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
  for (int i = 0; i < 65; ++i) many += "X-" + std::to_string(i) + ": 1\r\n";
  const std::string long_value =
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Long: " + std::string(9'000, 'x') + "\r\n";
  const std::string huge =
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Huge: " + std::string(100'000, 'x') + "\r\n";
  for (const auto& head : {many, long_value, huge}) {
    serve([head](AppConnection& app) {
      app.read_head();
      app.send(head + "\r\n");
    });
    EXPECT_EQ(answered("get", "app//")->error(), pipe::Errc::handler_failed);
  }
}

TEST_F(ProxyTest, ABodyThatEndsEarlyBreaksTheReplyOff) {
  serve([](AppConnection& app) {
    app.read_head();
    app.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\npart");
  });
  const auto asked = answered("get", "app//");
  EXPECT_TRUE(asked->begun());
  EXPECT_EQ(asked->error(), pipe::Errc::handler_failed);
}

TEST_F(ProxyTest, InterimResponsesAreSkipped) {
  serve(always("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + std::string(kHello)));
  EXPECT_EQ(answered("get", "app//")->body(), "hello");
}

TEST_F(ProxyTest, AReplyWithoutALengthEndsWithItsConnection) {
  serve([](AppConnection& app) {
    app.read_head();
    app.send("HTTP/1.0 200 OK\r\n\r\nuntil the end");
  });
  EXPECT_EQ(answered("get", "app//")->body(), "until the end");
  EXPECT_EQ(answered("get", "app//")->body(), "until the end");
}

TEST_F(ProxyTest, ANotModifiedHasNoBody) {
  serve(always("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: \"1\"\r\n\r\n"));
  EXPECT_EQ(answered("get", "app//")->head().http_status, 304);
  EXPECT_EQ(answered("get", "app//")->body(), "");
  EXPECT_EQ(app_->connections(), 1);
}

TEST_F(ProxyTest, TheDeadlineEndsTheExchange) {
  serve([](AppConnection& app) {
    app.read_head();
    EXPECT_TRUE(app.closed_by_peer());
  });
  auto event = make_event("get", "app//slow");
  event.deadline = pipe::Clock::now() + 100ms;
  const auto asked = call(std::move(event));
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->error(), pipe::Errc::deadline_exceeded);
}

TEST_F(ProxyTest, ExchangesAreBounded) {
  std::promise<void> arrived;
  serve([&](AppConnection& app) {
    app.read_head();
    arrived.set_value();
    EXPECT_TRUE(app.closed_by_peer());
  });
  mount({"", app_->port(), ""}, 1);
  const auto first = call(make_event("get", "app//1"));
  arrived.get_future().wait();
  EXPECT_EQ(answered("get", "app//2")->error(), pipe::Errc::overloaded);
  first.control->cancel();
}

TEST_F(ProxyTest, ParentSegmentsAreRefused) {
  serve(always(kHello));
  EXPECT_EQ(answered("get", "app//a/../b")->head().http_status, 400);
  EXPECT_EQ(app_->connections(), 0);
}

}  // namespace
}  // namespace rp::handlers
