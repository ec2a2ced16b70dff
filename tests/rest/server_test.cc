#include "rest/server.h"

#include <fstream>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/rest/front_end.h"

namespace rp::rest::test {
namespace {

using namespace std::chrono_literals;

/// Answers with what it got: method, path, query and body.
void echo(const std::shared_ptr<Exchange>& exchange) {
  const Request& request = exchange->request();
  exchange->respond(ok(std::string(request.method()) + " " + request.path() + " " +
                       std::string(request.query()) + " " + request.body()));
}

TEST(ServerTest, AnswersARequest) {
  const FrontEnd front(echo);
  const auto answer = front.ask(get("/a%20b?c=%20d"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.reason, "OK");
  EXPECT_EQ(answer.body, "GET /a b c=%20d ");
  EXPECT_EQ(answer.header("content-type"), "text/plain");
  EXPECT_EQ(answer.header("x-content-type-options"), "nosniff");
  EXPECT_EQ(answer.header("date").size(), std::string("Sun, 06 Nov 1994 08:49:37 GMT").size());
  EXPECT_FALSE(answer.has("connection"));
  EXPECT_EQ(answer.headers.count("content-length"), 1U);
}

TEST(ServerTest, StopsThoughItsThreadsNeverRan) {
  const auto thread = std::make_shared<pipe::IoThread>();
  ServerOptions options;
  options.endpoints = {{"127.0.0.1", 0, ""}};
  {
    Server server(std::move(options), echo, {thread});
    const RawClient client(server.start().front());
    EXPECT_TRUE(eventually([&] { return server.stats().connections_open == 1; }));
    thread->stop();  // what was accepted goes while the server is there
    EXPECT_TRUE(eventually([&] { return server.stats().connections_open == 0; }));
  }
  EXPECT_EQ(thread.use_count(), 1);
}

TEST(ServerTest, StopsAfterItsThreads) {
  const auto thread = running_threads(1).front();
  ServerOptions options;
  options.endpoints = {{"127.0.0.1", 0, ""}};
  Server server(std::move(options), echo, {thread});
  RawClient client(server.start().front());
  client.send(get("/"));
  EXPECT_EQ(client.read_answer().status, 200);
  thread->stop();
  server.stop();
  EXPECT_TRUE(client.closed_within(kPatience));
}

TEST(ServerTest, KeepsTheConnectionForFurtherRequests) {
  const FrontEnd front(echo);
  auto client = front.connect();
  for (int i = 0; i < 3; ++i) {
    client.send(post("/" + std::to_string(i), "body"));
    EXPECT_EQ(client.read_answer().body, "POST /" + std::to_string(i) + "  body");
  }
  EXPECT_EQ(front.stats().connections_accepted.load(), 1U);
  EXPECT_EQ(front.stats().requests.load(), 3U);
}

TEST(ServerTest, AnswersPipelinedRequestsInOrder) {
  const FrontEnd front(echo);
  auto client = front.connect();
  std::string all;
  for (int i = 0; i < 500; ++i) all += post("/" + std::to_string(i), "x");
  client.send(all);
  for (int i = 0; i < 500; ++i)
    ASSERT_EQ(client.read_answer().body, "POST /" + std::to_string(i) + "  x");
}

TEST(ServerTest, AnswersPipelinedRequestsInOrderFromAnotherThread) {
  std::vector<std::thread> threads;
  FrontEnd front([&](const std::shared_ptr<Exchange>& exchange) {
    threads.emplace_back([exchange] { echo(exchange); });
  });
  auto client = front.connect();
  std::string all;
  for (int i = 0; i < 50; ++i) all += get("/" + std::to_string(i));
  client.send(all);
  for (int i = 0; i < 50; ++i)
    ASSERT_EQ(client.read_answer().body, "GET /" + std::to_string(i) + "  ");
  front.server().stop();
  for (auto& thread : threads) thread.join();
}

TEST(ServerTest, ClosesWhenTheClientAsksForIt) {
  const FrontEnd front(echo);
  auto client = front.connect();
  client.send(get("/", "Connection: close\r\n"));
  EXPECT_EQ(client.read_answer().header("connection"), "close");
  EXPECT_TRUE(client.closed_within(kPatience));
}

TEST(ServerTest, ClosesAfterHttp10UnlessAskedNotTo) {
  const FrontEnd front(echo);
  auto closing = front.connect();
  closing.send("GET /old HTTP/1.0\r\n\r\n");
  EXPECT_EQ(closing.read_answer().header("connection"), "close");
  EXPECT_TRUE(closing.closed_within(kPatience));
  auto keeping = front.connect();
  for (int i = 0; i < 2; ++i) {
    keeping.send("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(keeping.read_answer().header("connection"), "keep-alive");
  }
}

TEST(ServerTest, SendsTheLengthButNoBodyForHead) {
  const FrontEnd front(echo);
  auto client = front.connect();
  client.send("HEAD /a HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/next"));
  const auto answer = client.read_answer(/*to_head=*/true);
  EXPECT_EQ(answer.header("content-length"), "9");
  EXPECT_EQ(client.read_answer().body, "GET /next  ");
}

TEST(ServerTest, SendsNeitherLengthNorBodyFor204And304) {
  for (const int status : {204, 304}) {
    const FrontEnd front([&](const std::shared_ptr<Exchange>& exchange) {
      exchange->respond({{status, "", "", {}}, "never sent"});
    });
    auto client = front.connect();
    for (int i = 0; i < 2; ++i) {
      client.send(get("/"));
      const auto answer = client.read_answer();
      EXPECT_EQ(answer.status, status);
      EXPECT_FALSE(answer.has("content-length"));
    }
  }
}

TEST(ServerTest, GivesUnknownMethodsToTheHandler) {
  const FrontEnd front(echo);
  for (const std::string method : {"get", "OPTIONS", "TRACE", "PROPFIND", "X-Y"}) {
    const auto answer = front.ask(method + " /m HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(answer.status, 200) << method;
    EXPECT_EQ(answer.body, method + " /m  ");
  }
}

TEST(ServerTest, TakesOddTargetsAsTheyAre) {
  const FrontEnd front(echo);
  for (const std::string query : {"?", "?&&=&", "?a==b&a=c", "?a=b?c", "?x=%zz"})
    EXPECT_EQ(front.ask(get("/q" + query)).body, "GET /q " + query.substr(1) + " ");
  EXPECT_EQ(front.ask(get("/" + std::string(5000, '/'))).body,
            "GET " + std::string(5001, '/') + "  ");
}

TEST(ServerTest, RefusesAMalformedRequestAndCloses) {
  const FrontEnd front(echo);
  auto client = front.connect();
  client.send(
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: "
      "chunked\r\n\r\n"
      "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_EQ(answer.header("content-type"), "application/problem+json");
  EXPECT_NE(answer.body.find("\"code\":\"bad_request\""), std::string::npos) << answer.body;
  EXPECT_TRUE(client.closed_within(kPatience));
  EXPECT_EQ(front.stats().requests.load(), 0U);
  EXPECT_EQ(front.stats().requests_malformed.load(), 1U);
}

TEST(ServerTest, AnswersTheGoodRequestsBeforeAMalformedOne) {
  const FrontEnd front(echo);
  auto client = front.connect();
  client.send(get("/good") + "BAD\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "GET /good  ");
  EXPECT_EQ(client.read_answer().status, 400);
  EXPECT_TRUE(client.closed_within(kPatience));
}

TEST(ServerTest, RefusesAMalformedRequestThatWaitedBehindAnother) {
  Handover<std::shared_ptr<Exchange>> handed;
  const FrontEnd front(
      [&](std::shared_ptr<Exchange> exchange) { handed.put(std::move(exchange)); });
  auto client = front.connect();
  client.send(get("/good"));
  const auto exchange = handed.take().value();
  const auto received = front.stats().bytes_received.load();
  client.send("BAD\r\n\r\n" + std::string(3000, 'x'));
  ASSERT_TRUE(eventually([&] { return front.stats().bytes_received > received; }));
  exchange->respond(ok("good"));
  EXPECT_EQ(client.read_answer().body, "good");
  EXPECT_EQ(client.read_answer().status, 400);
  EXPECT_TRUE(client.closed_within(kPatience));
}

TEST(ServerTest, RefusesForeignHostsAndOriginsBeforeTheHandler) {
  const FrontEnd front(echo);
  EXPECT_EQ(front.ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 421);
  EXPECT_EQ(front.ask(get("/", "Origin: https://evil.example\r\n")).status, 403);
  EXPECT_EQ(front.ask(get("/", "Sec-Fetch-Site: cross-site\r\n")).status, 403);
  EXPECT_EQ(front.stats().requests.load(), 0U);
  EXPECT_EQ(front.stats().requests_refused.load(), 3U);
}

TEST(ServerTest, SendsNoCorsHeaders) {
  const FrontEnd front(echo);
  for (const auto& [name, value] : front.ask(get("/", "Origin: https://evil.example\r\n")).headers)
    EXPECT_FALSE(name.starts_with("access-control-")) << name;
}

TEST(ServerTest, AsksForTheToken) {
  ServerOptions options;
  options.guard.bearer_token = "t0ken";
  const FrontEnd front(echo, options);
  const auto refused = front.ask(get("/"));
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.header("www-authenticate"), "Bearer");
  EXPECT_EQ(front.ask(get("/", "Authorization: Bearer t0ken\r\n")).status, 200);
}

TEST(ServerTest, TurnsAThrowingHandlerInto500) {
  const FrontEnd front([](const std::shared_ptr<Exchange>& exchange) {
    if (exchange->request().path() == "/throw") throw std::runtime_error("oops");
    if (exchange->request().path() == "/odd") throw 5;
    echo(exchange);
  });
  auto client = front.connect();
  for (const auto* path : {"/throw", "/odd"}) {
    client.send(get(path));
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(answer.body.find("oops"), std::string::npos);
  }
  client.send(get("/fine"));
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST(ServerTest, TurnsADroppedExchangeInto500) {
  const FrontEnd front([](const std::shared_ptr<Exchange>& /*dropped*/) {});
  auto client = front.connect();
  for (int i = 0; i < 2; ++i) {
    client.send(get("/"));
    EXPECT_EQ(client.read_answer().status, 500);
  }
}

TEST(ServerTest, TurnsAnExchangeDroppedOnAnotherThreadInto500) {
  Handover<std::shared_ptr<Exchange>> kept;
  const FrontEnd front([&](std::shared_ptr<Exchange> exchange) { kept.put(std::move(exchange)); });
  auto client = front.connect();
  client.send(get("/"));
  kept.take();  // and gone
  EXPECT_EQ(client.read_answer().status, 500);
}

TEST(ServerTest, NeverLetsAResponseHeaderBreakOut) {
  const FrontEnd front([](const std::shared_ptr<Exchange>& exchange) {
    ResponseHead head{200, "Fine\r\nX-Evil: 1", "text/plain\r\nX-Evil: 2", {}};
    head.headers = {
        {"X-Good", "yes"},        {"X-Bad", "a\r\nX-Evil: 3"},      {"X Bad", "b"},
        {"Content-Length", "99"}, {"Transfer-Encoding", "chunked"}, {"Connection", "close"},
        {"Date", "never"}};
    exchange->respond({head, "body"});
  });
  const auto answer = front.ask(get("/"));
  EXPECT_EQ(answer.reason, "OK");
  EXPECT_EQ(answer.body, "body");
  EXPECT_EQ(answer.header("x-good"), "yes");
  for (const auto* name :
       {"x-evil", "x-bad", "x bad", "content-type", "transfer-encoding", "connection"})
    EXPECT_FALSE(answer.has(name)) << name;
  EXPECT_NE(answer.header("date"), "never");
}

TEST(ServerTest, ServesUnixSocketsOnTheSameRoutes) {
  const TempDir dir;
  ServerOptions options;
  options.endpoints = {{"", 0, dir.file("s")}, {"127.0.0.1", 0, ""}};
  options.unix_mode = 0600;
  {
    const FrontEnd front(echo, options);
    struct stat file {};
    ASSERT_EQ(::stat(dir.file("s").c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777U, 0600U);
    EXPECT_EQ(front.ask(get("/u")).body, "GET /u  ");
    EXPECT_EQ(front.ask("GET /u HTTP/1.1\r\nHost: rpserver.local\r\n\r\n").status, 200);
    EXPECT_EQ(front.ask("GET /u HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 421);
  }
  EXPECT_NE(::access(dir.file("s").c_str(), F_OK), 0) << "the socket file stays behind";
}

TEST(ServerTest, AsksTheKernelWhoConnectsToAUnixSocket) {
  const TempDir dir;
  ServerOptions options;
  options.endpoints = {{"", 0, dir.file("s")}};
  options.unix_uids = {::getuid() + 1};
  const FrontEnd front(echo, options);
  auto client = front.connect();
  EXPECT_TRUE(client.closed_within(kPatience));
  EXPECT_TRUE(eventually([&] { return front.stats().connections_refused == 1; }));
}

TEST(ServerTest, ReplacesAStaleUnixSocketOnly) {
  const TempDir dir;
  ServerOptions options;
  options.endpoints = {{"", 0, dir.file("s")}};
  const FrontEnd first(echo, options);
  EXPECT_THROW(FrontEnd(echo, options), ListenError);
  EXPECT_EQ(first.ask(get("/")).status, 200);

  std::ofstream(dir.file("plain")) << "keep me";
  options.endpoints = {{"", 0, dir.file("plain")}};
  EXPECT_THROW(FrontEnd(echo, options), ListenError);
  EXPECT_EQ(::access(dir.file("plain").c_str(), F_OK), 0);
}

TEST(ServerTest, SaysWhichEndpointIsTaken) {
  const FrontEnd first(echo);
  ServerOptions options;
  options.endpoints = {first.endpoint()};
  try {
    const FrontEnd second(echo, options);
    FAIL() << "two servers on one port";
  } catch (const ListenError& error) {
    EXPECT_NE(std::string(error.what()).find(to_string(first.endpoint())), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("in use"), std::string::npos) << error.what();
  }
}

TEST(ServerTest, ReportsTheRemoteAddress) {
  const FrontEnd front([](const std::shared_ptr<Exchange>& exchange) {
    const Remote& remote = exchange->request().remote();
    exchange->respond(ok(remote.address + (remote.port != 0 ? " port" : "")));
  });
  EXPECT_EQ(front.ask(get("/")).body, "127.0.0.1 port");
}

TEST(ServerTest, ServesOnSeveralThreads) {
  const FrontEnd front(echo, {}, 2);
  std::vector<RawClient> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(front.connect());
  for (auto& client : clients) client.send(get("/t"));
  for (auto& client : clients) EXPECT_EQ(client.read_answer().body, "GET /t  ");
}

TEST(ServerTest, CallsTheHandlerOnItsThreadsInTurn) {
  const auto threads = running_threads(2);
  ServerOptions options;
  options.endpoints = {{"127.0.0.1", 0, ""}};
  Server server(
      std::move(options),
      [&](const std::shared_ptr<Exchange>& exchange) {
        const bool first = threads[0]->is_current();
        exchange->respond(ok(first ? "first" : threads[1]->is_current() ? "second" : "another"));
      },
      threads);
  const Endpoint endpoint = server.start().front();
  std::vector<std::string> answers;
  for (int i = 0; i < 4; ++i) {
    RawClient client(endpoint);
    client.send(get("/"));
    answers.push_back(client.read_answer().body);
  }
  EXPECT_EQ(answers, (std::vector<std::string>{"first", "second", "first", "second"}));
}

TEST(EndpointTest, IsWrittenAsSettingsNameIt) {
  EXPECT_EQ(to_string(Endpoint{"127.0.0.1", 8989, ""}), "127.0.0.1:8989");
  EXPECT_EQ(to_string(Endpoint{"::1", 0, ""}), "[::1]:0");
  EXPECT_EQ(to_string(Endpoint{"", 0, "/run/x.sock"}), "unix:/run/x.sock");
}

}  // namespace
}  // namespace rp::rest::test
