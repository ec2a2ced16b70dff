#include <iostream>
#include <optional>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "tests/product/harness/application.h"
#include "tests/product/harness/expect.h"
#include "tests/product/harness/nginx_site.h"
#include "tests/product/harness/socket.h"

/// A small web application behind the client node, used by a real browser through nginx with the
/// project's sample.
namespace rp::product {
namespace {

// The page loads a script, which posts a form and listens to events, shows what came and reports it
// to the application. That prints the report.
constexpr std::string_view kApplication = R"PY(
PAGE = b"""<!doctype html><meta charset="utf-8"><title>Orders</title>
<link rel="stylesheet" href="style.css"><h1>Orders</h1>
<p>Posted: <b id="posted">-</b></p><p>Heard: <b id="heard">-</b></p><script src="app.js"></script>"""

SCRIPT = b"""
const show = (id, text) => { document.getElementById(id).textContent = text; };
const posted = fetch("orders", {method: "POST", headers: {"Content-Type": "application/json"},
                                body: JSON.stringify({item: "\\u00fcber", count: 3})})
  .then(answer => answer.text().then(text => {
    const words = answer.status + " " + text + " code " + answer.headers.get("X-Event-Return-Code");
    show("posted", words);
    return words;
  }));
const heard = new Promise(done => {
  const source = new EventSource("events");
  const events = [];
  source.onmessage = event => {
    events.push(event.data);
    show("heard", events.join(", "));
    if (events.length === 3) { source.close(); done(events.join(",")); }
  };
});
Promise.all([posted, heard]).then(words =>
  fetch("report", {method: "POST", body: [document.title,
    getComputedStyle(document.querySelector("h1")).color, ...words].join(" | ")}));
"""

CROSS = b"""<!doctype html><script>
const [node, id] = location.search.slice(1).split(",");
fetch(node + "/server/run//" + id, {method: "POST", body: "hello",
                                    headers: {"Idempotency-Key": id}})
  .then(answer => answer.text().then(text =>
    [answer.status, answer.headers.get("X-Event-Return-Code"), text].join(" ")))
  .catch(() => "refused")
  .then(words => fetch("report", {method: "POST", body: words}));
</script>"""

class Application(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()

    def do_GET(self):
        if self.path == "/":
            self.answer(200, "text/html", PAGE)
        elif self.path.startswith("/cross?"):
            self.answer(200, "text/html", CROSS)
        elif self.path == "/app.js":
            self.answer(200, "text/javascript", SCRIPT)
        elif self.path == "/style.css":
            self.answer(200, "text/css", b"h1 { color: rgb(1, 102, 3) }")
        elif self.path == "/events":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for name in ("one", "two", "three"):
                self.wfile.write(b"data: %s\n\n" % name.encode())
                self.wfile.flush()
                time.sleep(0.1)
            time.sleep(600)  # the browser hangs up, not the application
        else:
            self.answer(404, "text/plain", b"no such page")

    def do_POST(self):
        if self.path == "/report":
            print("report:", self.body(), flush=True)
            self.answer(204, "text/plain", b"")
        else:
            self.answer(201, "text/plain", ("took " + self.body()).encode())
)PY";

/// A port that is free now, for a program that cannot choose one itself.
std::uint16_t free_port() { return port_of(listen_on_loopback()); }

class WebApplicationTest : public NginxSiteTest {
 protected:
  void SetUp() override {
    if (run({.argv = {"sh", "-c", "command -v chromium"}}).exit_code != 0) {
      GTEST_SKIP() << "not available: chromium (tools/install-packages test installs it)";
    }
    application_.emplace(authority_.scratch(""), kApplication);
  }

  /// The application at site_ + "/app/", for a browser: it knows no Unix sockets.
  void start_application_site() {
    const auto port = std::to_string(free_port());
    site_ = "http://rpserver.local:" + port;
    const std::string listen = "listen unix:" + (home() / "front.sock").string() + ";";
    start_site({.server = {"--allow-origin", site_},
                .client = {"--proxy", "app=" + application_->origin()}},
               {{listen, listen + " listen 127.0.0.1:" + port + ";"}});
  }

  void TearDown() override {
    if (HasFailure() && browser_) std::cerr << "--- chromium ---\n" << browser_->err();
    if (browser_) {
      browser_->signal(SIGTERM);  // its many processes end with it in good order
      browser_->wait();
    }
    browser_.reset();
    NginxSiteTest::TearDown();
  }

  void browse(const std::string& url) {
    Command command{
        .argv = {"chromium", "--headless", "--disable-gpu", "--disable-dev-shm-usage",
                 "--no-first-run", "--disable-background-networking", "--disable-component-update",
                 "--disable-sync", "--user-data-dir=" + authority_.scratch("profile").string(),
                 "--host-resolver-rules=MAP rpserver.local 127.0.0.1"},
        .env = {"HOME=" + authority_.scratch("").string()}};
    if (::geteuid() == 0) command.argv.push_back("--no-sandbox");  // its sandbox refuses root
    command.argv.push_back(url);
    browser_ = std::make_unique<Process>(command);
  }

  /// Another origin of the application, for a browser.
  std::string by_name() const { return "http://localhost:" + application_->port(); }

  std::string site_;
  std::optional<Application> application_;
  std::unique_ptr<Process> browser_;
};

TEST_F(WebApplicationTest, ABrowserUsesItLikeALocalOne) {
  start_application_site();
  browse(site_ + "/app/");
  const auto report = application_->out_line("report: ", 60s);
  ASSERT_TRUE(report) << "the page did not get so far";
  EXPECT_EQ(*report,
            "report: Orders | rgb(1, 102, 3) | 201 took {\"item\":\"über\",\"count\":3} code 0 | "
            "one,two,three");
}

TEST_F(WebApplicationTest, APageOfAnAllowedOriginCallsTheNodeAndReadsTheAnswer) {
  start_pair({"--handlers", RP_COUNTING_PLUGIN, "--allow-origin", by_name()});
  browse(by_name() + "/cross?" + client_->base() + ",page");
  EXPECT_EQ(application_->out_line("report: ", 60s).value_or("none"), "report: 200 0 hello");
  EXPECT_EQ(curl({C("/server/runs/of//page")}).body, "1");
}

TEST_F(WebApplicationTest, APageOfAnotherOriginRunsAndReadsNothing) {
  start_pair({"--handlers", RP_COUNTING_PLUGIN, "--allow-origin", by_name()});
  browse(application_->origin() + "/cross?" + client_->base() + ",page");
  EXPECT_EQ(application_->out_line("report: ", 60s).value_or("none"), "report: refused");
  EXPECT_EQ(curl({C("/server/runs/of//page")}).body, "0");
}

}  // namespace
}  // namespace rp::product
