#include <optional>

#include <gtest/gtest.h>

#include "tests/product/harness/application.h"
#include "tests/product/harness/event_stream.h"
#include "tests/product/harness/expect.h"
#include "tests/product/harness/nginx_site.h"

/// A web application on the client node's machine, used through the server's front-end and nginx.
namespace rp::product {
namespace {

// Links, a form with a login and a redirection, an upload, and an event stream whose events say
// when they were sent.
constexpr std::string_view kApplication = R"PY(
import hashlib, urllib.parse

class Application(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return
        while (size := int(self.rfile.readline(), 16)) > 0:
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def do_GET(self):
        if self.path == "/":
            self.answer(200, '<a href="about">about</a> <form action="login" method="post">'
                             '<input name="name"></form>')
        elif self.path == "/about":
            self.answer(200, "about")
        elif self.path == "/welcome":
            cookie = self.headers.get("Cookie", "")
            self.answer(200 if cookie else 403, "welcome " + cookie)
        elif self.path == "/events":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for _ in range(20):
                self.wfile.write(b"data: %d\n\n" % time.monotonic_ns())
                self.wfile.flush()
                time.sleep(0.05)
            self.close_connection = True
        else:
            self.answer(404, "no " + self.path)

    def do_POST(self):
        form = urllib.parse.parse_qs(b"".join(self.body()).decode())
        self.answer(303, "", [("Location", "/welcome"),
                              ("Set-Cookie", "name=" + form["name"][0] + "; Path=/"),
                              ("Set-Cookie", "seen=1; Path=/")])

    def do_PUT(self):
        digest, total = hashlib.sha256(), 0
        for piece in self.body():
            digest.update(piece)
            total += len(piece)
        self.answer(201, "%d %s" % (total, digest.hexdigest()))
)PY";

class ProxyProductTest : public NginxSiteTest {
 protected:
  void SetUp() override {
    start_application();
    start_site({.server = {"--allow-origin", "http://rpserver.local", "--forward-header", "cookie",
                           "--forward-header", "accept"},
                .client = {"--proxy", "app=" + application_->origin()}});
  }

  /// On the port that it had, if it has had one.
  void start_application() {
    application_.emplace(authority_.scratch(""), kApplication, port_);
    port_ = application_->port();
  }

  std::string app(const std::string& path) const { return S("/client/alpha/app//" + path); }
  Response browse(const std::string& path, std::vector<std::string> more = {}) const {
    return through("rpserver.local", "/app/" + path, std::move(more));
  }

  std::optional<Application> application_;
  std::string port_ = "0";
};

TEST_F(ProxyProductTest, PagesHaveTheApplicationsStatus) {
  const auto top = browse("");
  EXPECT_EQ(top.status, 200);
  EXPECT_EQ(top.content_type(), "text/html; charset=utf-8");
  EXPECT_TRUE(contains(top.body, "href=\"about\""));
  EXPECT_EQ(browse("about").body, "about");
  const auto absent = browse("none?x=1");
  EXPECT_EQ(absent.status, 404);
  EXPECT_EQ(absent.body, "no /none?x=1");
  EXPECT_EQ(absent.code().value_or(""), "404");
  EXPECT_EQ(curl({app("none")}).status, 404);
}

TEST_F(ProxyProductTest, AnEncodedSlashArrivesAsItWasWritten) {
  EXPECT_EQ(curl({app("@scope%2Fname/x%20y?q=%2F")}).body, "no /@scope%2Fname/x%20y?q=%2F");
  EXPECT_EQ(curl({app("a%252Fb")}).body, "no /a%252Fb");
  EXPECT_EQ(curl({app("a%2F..%2Fb")}).status, 400);
}

TEST_F(ProxyProductTest, AFormLogsInAndIsRedirected) {
  const auto jar = authority_.scratch("cookies").string();
  const auto posted = browse("login", {"-d", "name=ada", "-H", "Origin: http://rpserver.local"});
  EXPECT_EQ(posted.status, 303);
  EXPECT_EQ(posted.header("location").value_or(""), "./welcome");
  const auto welcome = browse("login", {"-L", "-c", jar, "-b", jar, "-d", "name=ada", "-H",
                                        "Origin: http://rpserver.local"});
  EXPECT_EQ(welcome.status, 200);
  EXPECT_TRUE(contains(welcome.body, "name=ada")) << welcome.body;
  EXPECT_TRUE(contains(welcome.body, "seen=1")) << welcome.body;
  EXPECT_TRUE(contains(read_text(jar), "/app/")) << "cookies keep to the application's path";
  EXPECT_EQ(browse("welcome").status, 403);
  EXPECT_EQ(browse("login", {"-d", "name=eve", "-H", "Origin: http://evil.example"}).status, 403);
}

TEST_F(ProxyProductTest, UploadsStreamToTheApplication) {
  const auto data = data_file("upload", std::string(10'000'000, 'u'));
  for (const char* framing : {"Expect:", "Transfer-Encoding: chunked"}) {
    const auto stored = browse("files/1", {"-X", "PUT", "-H", framing, "--data-binary", data});
    EXPECT_EQ(stored.status, 201) << stored.error;
    EXPECT_TRUE(stored.body.starts_with("10000000 ")) << stored.body;
  }
}

TEST_F(ProxyProductTest, EachEventArrivesAsItIsSent) {
  expect_one_by_one(server_->rest_port(), "/client/alpha/app//events", 20, 50ms);
}

TEST_F(ProxyProductTest, EventsPassNginxUnbuffered) {
  // The stream takes a second; half of it has come when curl gives up.
  Response stream;
  EXPECT_TRUE(eventually([&] {
    stream = browse("events", {"--max-time", "0.5"});
    return contains(stream.body, "data: ");
  })) << "nothing comes before the end";
  EXPECT_EQ(stream.status, 200);
  EXPECT_EQ(stream.content_type(), "text/event-stream");
}

TEST_F(ProxyProductTest, AnApplicationThatIsGoneIs502AndComesBack) {
  EXPECT_EQ(browse("about").status, 200);
  application_.reset();
  const auto gone = browse("about");
  EXPECT_EQ(gone.status, 502);
  EXPECT_TRUE(contains(gone.body, "the application app did not answer")) << gone.body;
  EXPECT_TRUE(contains(gone.body, "\"handler_unavailable\"")) << gone.body;
  EXPECT_TRUE(contains(gone.body, "\"may_have_run\":false")) << gone.body;
  EXPECT_FALSE(contains(gone.body, port_)) << "it tells an internal address";
  start_application();
  EXPECT_EQ(browse("about").body, "about");
}

TEST_F(LabTest, OneNounCannotStandForTwoThings) {
  const auto command = node_command(
      Role::server,
      {.identity = authority_.server(), .flags = {"--files", "x=/tmp", "--proxy", "x=http://a"}});
  const auto finished = run(command);
  EXPECT_EQ(finished.exit_code, 3);
  EXPECT_TRUE(contains(finished.err, "is also a noun of files")) << finished.err;
}

}  // namespace
}  // namespace rp::product
