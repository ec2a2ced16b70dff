#include <algorithm>
#include <fstream>
#include <set>
#include <sys/stat.h>

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/fault_proxy.h"
#include "tests/product/harness/lab.h"
#include "tests/product/harness/udp_sink.h"

/// How a node is configured, watched and stopped: rows 64, 66 to 68, 71, 72, 75, 76.
namespace rp::product {
namespace {

std::string flag_for(const UdpSink& sink) { return "127.0.0.1:" + std::to_string(sink.port()); }

TEST_F(ParityTest, Row64_TheReferencesVariablesAreHonoured) {
  // Identities under names of their own, in directories of their own.
  const auto home = authority_.scratch("home");
  std::filesystem::create_directory(home);
  const auto copy = [&](const std::filesystem::path& from, const char* to) {
    std::filesystem::copy_file(from, home / to);
  };
  copy(authority_.server() / "restpipe.server.key.pem", "s.key");
  copy(authority_.server() / "restpipe.server.crt.pem", "s.crt");
  copy(authority_.client() / "restpipe.client.key.pem", "c.key");
  copy(authority_.client() / "restpipe.client.crt.pem", "c.crt");
  copy(authority_.ca_certificate(), "root.crt");

  const auto path = home.string();
  server_ = make_server({.env = {"RP_SERVER_BIND_INTERFACE=127.0.0.1", "RP_SERVER_BIND_PORT=0",
                                 "RP_SERVER_CERT_PATH=" + path, "RP_SERVER_KEY_FILENAME=s.key",
                                 "RP_SERVER_CRT_FILENAME=s.crt", "RP_CA_CRT_FILENAME=root.crt"},
                         .from_environment = true});
  ASSERT_NE(server_->pipe_port(), 0) << server_->ready_line();
  client_ = make_client({.env = {"RP_CLIENT_TARGET_HOSTNAME=127.0.0.1",
                                 "RP_CLIENT_TARGET_PORT=" + std::to_string(server_->pipe_port()),
                                 "RP_CLIENT_CERT_PATH=" + path, "RP_CLIENT_KEY_FILENAME=c.key",
                                 "RP_CLIENT_CRT_FILENAME=c.crt", "RP_CA_CRT_FILENAME=root.crt"},
                         .from_environment = true});
  ASSERT_TRUE(client_->ready());
  expect_time(curl({C("/server/time")}), "time_from_server");
}

TEST_F(ParityTest, Row66_StatsdOfOneRequest) {
  UdpSink client_sink;
  UdpSink server_sink;
  server_ = make_server({.flags = {"--statsd", flag_for(server_sink)}});
  client_ = make_client({.env = {"RP_STATSD_HOST=127.0.0.1",
                                 "RP_STATSD_PORT=" + std::to_string(client_sink.port())}});
  ASSERT_TRUE(client_->ready());
  expect_time(curl({C("/server/time")}), "time_from_server");
  EXPECT_TRUE(client_sink.receives("message.send.tick:1|c"));
  EXPECT_TRUE(client_sink.receives_timing("message.send.timing"));
  EXPECT_TRUE(server_sink.receives("message.receive.tick:1|c"));
  EXPECT_TRUE(server_sink.receives("message.received.handle.get_time.tick:1|c"));
  EXPECT_TRUE(server_sink.receives_timing("message.received.handle.get_time.timing"));
  EXPECT_TRUE(server_sink.receives_timing("message.receive.handle.timing"));
}

TEST_F(ParityTest, Row67_StatsdOfAConnect) {
  server_ = make_server();
  UdpSink sink;
  client_ = make_client({.flags = {"--statsd", flag_for(sink)}});
  ASSERT_TRUE(client_->ready());
  EXPECT_TRUE(sink.receives("client.connect.new.tick:1|c"));
  EXPECT_TRUE(sink.receives("client.connect.connected.tick:1|c"));
}

TEST_F(ParityTest, Row67_StatsdOfAFailedConnect) {
  server_ = make_server();
  server_->process().kill();
  UdpSink sink;
  client_ = make_client({.flags = {"--statsd", flag_for(sink)}});
  EXPECT_TRUE(sink.receives("client.connect.new.tick:1|c"));
  EXPECT_TRUE(sink.receives("client.connect.broken.tick:1|c"));
  EXPECT_TRUE(sink.receives("client.connect.heartbeat.fail.tick:1|c"));
  const auto& all = sink.received();
  EXPECT_EQ(std::count(all.begin(), all.end(), "client.connect.connected.tick:1|c"), 0);
}

TEST_F(ParityTest, Row68_EmptyStatsdVariablesTurnItOff) {
  const std::vector<std::string> off = {"RP_STATSD_HOST=", "RP_STATSD_PORT="};
  server_ = make_server({.env = off});
  client_ = make_client({.env = off});
  ASSERT_TRUE(client_->ready());
  expect_time(curl({C("/server/time")}), "time_from_server");
}

TEST_F(ParityTest, Row71_ServerCallbacks) {
  const auto record = authority_.scratch("states");
  server_ =
      make_server({.flags = parity_handlers(), .env = {"RP_TEST_STATE_FILE=" + record.string()}});
  const auto becomes = [&](const std::vector<std::string>& expected) {
    std::vector<std::string> states;
    const bool equal = eventually([&] {
      states = lines_of(read_text(record));
      std::erase_if(states, [](const std::string& s) { return s == "start" || s == "stop"; });
      return states == expected;
    });
    EXPECT_EQ(states, expected);
    return equal;
  };
  ASSERT_TRUE(becomes({"idle"}));
  client_ = make_client();
  ASSERT_TRUE(client_->ready());
  ASSERT_TRUE(becomes({"idle", "added alpha 1"}));
  EXPECT_EQ(client_->stop(), 0);
  EXPECT_TRUE(becomes({"idle", "added alpha 1", "removed alpha 0", "idle"}));
}

TEST_F(ParityTest, Row72_ClientCallbacks) {
  const auto record = authority_.scratch("states");
  server_ = make_server();
  FaultProxy wire(server_->pipe_port());
  wire.refuse(2);
  client_ = make_client({.flags = parity_handlers(),
                         .env = {"RP_TEST_STATE_FILE=" + record.string()},
                         .pipe_port = wire.port()});
  ASSERT_TRUE(client_->ready());
  const auto states = [&] { return read_text(record); };
  EXPECT_TRUE(eventually([&] { return contains(states(), "fail 0\nfail 1\nsuccess 2\n"); }))
      << states();
}

TEST_F(ParityTest, Row75_DebugShowsFramesAndChangesNothing) {
  const NodeSetup debug = {.env = {"DEBUG=1"}};
  server_ = make_server(debug);
  client_ = make_client(debug);
  ASSERT_TRUE(client_->ready());
  expect_time(curl({C("/server/time")}), "time_from_server");
  expect_refusal(curl({C("/nowhere")}), 404);
  const auto line = server_->process().err_line("type=CALL");
  ASSERT_TRUE(line);
  EXPECT_TRUE(contains(*line, "id=")) << *line;
  EXPECT_TRUE(contains(*line, "bytes=")) << *line;
}

TEST_F(ParityTest, Row76_SigtermLetsARequestFinish) {
  UdpSink sink;
  const auto socket = authority_.scratch("server.sock");
  start_parity_pair({"--statsd", flag_for(sink)});
  const auto extra = make_server({.flags = {"--rest", "unix:" + socket.string()}});
  ASSERT_TRUE(std::filesystem::exists(socket));
  EXPECT_EQ(extra->stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(socket));

  CurlRun slow({C("/server/sleep//2")});
  ASSERT_TRUE(sink.receives("message.received.handle.get_sleep.tick:1|c"));
  server_->process().signal(SIGTERM);
  const auto response = slow.finish();
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.code().value_or("absent"), "0");
  EXPECT_EQ(server_->process().wait(), 0);
}

TEST_F(ParityTest, Row76_SigtermOnTheCallersNode) {
  UdpSink sink;
  start_parity_pair({"--statsd", flag_for(sink)});
  CurlRun slow({C("/server/sleep//2")});
  ASSERT_TRUE(sink.receives("message.received.handle.get_sleep.tick:1|c"));
  client_->process().signal(SIGTERM);
  EXPECT_EQ(slow.finish().status, 200);
  EXPECT_EQ(client_->process().wait(), 0);
}

TEST_F(LabTest, SigtermEndsALongRequestAtTheDrainTimeout) {
  UdpSink sink;
  start_parity_pair({"--statsd", flag_for(sink), "--drain-timeout", "1"});
  CurlRun slow({C("/server/sleep//60")});
  ASSERT_TRUE(sink.receives("message.received.handle.get_sleep.tick:1|c"));
  server_->process().signal(SIGTERM);
  EXPECT_EQ(server_->process().wait(), 0);
  const auto response = slow.finish();
  EXPECT_GE(response.status, 500);
}

TEST_F(LabTest, ASecondSignalEndsANodeAtOnce) {
  UdpSink sink;
  start_parity_pair({"--statsd", flag_for(sink), "--drain-timeout", "60"});
  CurlRun slow({C("/server/sleep//60")});
  ASSERT_TRUE(sink.receives("message.received.handle.get_sleep.tick:1|c"));
  server_->process().signal(SIGTERM);
  ASSERT_TRUE(server_->process().err_line("Draining"));
  server_->process().signal(SIGTERM);
  EXPECT_TRUE(server_->process().wait().has_value());
}

TEST_F(LabTest, HealthMetricsAndNodesAnswer) {
  start_pair();
  for (const auto& base : {C(""), S("")}) {
    SCOPED_TRACE(base);
    EXPECT_EQ(curl({base + "/healthz"}).status, 200);
    EXPECT_EQ(curl({base + "/readyz"}).status, 200);
    EXPECT_EQ(curl({base + "/nodes"}).content_type(), "application/json");
    const auto metrics = curl({base + "/metrics"});
    EXPECT_EQ(metrics.status, 200);
    EXPECT_TRUE(metrics.content_type().starts_with("text/plain; version=0.0.4"));
    EXPECT_TRUE(contains(metrics.body, "# TYPE restpipe_")) << metrics.body.substr(0, 500);
  }
  EXPECT_TRUE(contains(curl({S("/nodes")}).body, "\"alpha\""));
  server_->process().kill();
  ASSERT_TRUE(client_->unready());
  EXPECT_EQ(curl({C("/healthz")}).status, 200);
  EXPECT_TRUE(contains(curl({C("/readyz")}).body, "no pipe"));
}

/// The lines of /metrics without their values.
std::set<std::string> series_of(const std::string& metrics) {
  std::set<std::string> names;
  for (const auto& line : lines_of(metrics)) {
    if (!line.starts_with('#')) names.insert(line.substr(0, line.rfind(' ')));
  }
  return names;
}

TEST_F(LabTest, CallersCannotMakeUpNamesOfMetrics) {
  const auto home = authority_.scratch("home");
  std::filesystem::create_directory(home);
  start_parity_pair({"--exec", home.string(), "--files", "docs=" + home.string(), "--proxy",
                     "app=http://127.0.0.1:1"});
  const std::vector<std::string> nouns = {"docs//", "app//", "unknown", "cat//", "number"};
  const std::vector<std::string> verbs = {"GET", "POST", "PUT", "DELETE", "PATCH"};
  const auto call = [&](const std::string& verb, const std::string& path) {
    return raw_http(client_->rest_port(), verb + " /server/" + path +
                                              " HTTP/1.1\r\nHost: localhost\r\n"
                                              "Connection: close\r\nContent-Length: 0\r\n\r\n");
  };
  for (const auto& noun : nouns) {
    for (const auto& verb : verbs) EXPECT_TRUE(call(verb, noun).starts_with("HTTP/1.1 "));
  }
  const auto known = series_of(curl({S("/metrics")}).body);
  EXPECT_TRUE(known.contains("restpipe_handler_seconds_count{method=\"get_docs_*\"}"));
  for (int i = 0; i < 20; ++i) {
    const auto made_up = std::to_string(i);
    for (const auto& noun : nouns) {
      call("GET", noun + made_up);
      call("GET", noun + made_up + "/" + made_up);
      EXPECT_TRUE(call("VERB" + made_up, noun).starts_with("HTTP/1.1 405 "));
    }
    call("POST", made_up + "?" + made_up + "=" + made_up);
  }
  for (const auto& series : series_of(curl({S("/metrics")}).body)) {
    EXPECT_TRUE(known.contains(series)) << series;
  }
}

TEST_F(LabTest, OneRequestIdIsInTheLogsOfBothNodes) {
  start_pair({"--log-level", "debug", "--log-format", "json"});
  const auto response = curl({"-H", "X-Request-Id: trace-me-7", C("/server/time")});
  EXPECT_EQ(response.header("x-request-id").value_or(""), "trace-me-7");
  for (auto* node : {client_.get(), server_.get()}) {
    const auto line = node->process().err_line("trace-me-7");
    ASSERT_TRUE(line) << node->ready_line();
    EXPECT_TRUE(line->starts_with('{')) << *line;
  }
}

TEST_F(LabTest, DebugLogsHoldNoPayloadAndNoForgedLine) {
  start_parity_pair({"--log-level", "debug"});
  const auto response =
      curl({"-X", "POST", "-H", "Content-Type: text/plain", "-d", "payload-of-a-caller", "-H",
            "Authorization: Bearer of-a-secret", C("/server/echo?q=%0aforged%20line%1b%5b31m")});
  EXPECT_EQ(response.body, "payload-of-a-caller");
  curl({C("/server/no%20such%7c%3a%22method%22")});
  for (auto* node : {client_.get(), server_.get()}) {
    ASSERT_TRUE(node->process().err_line("such|"));
    const auto log = node->log();
    EXPECT_FALSE(contains(log, "payload-of-a-caller")) << log;
    EXPECT_FALSE(contains(log, "of-a-secret")) << log;
    EXPECT_FALSE(contains(log, "\x1b")) << log;
    EXPECT_FALSE(contains(log, "\nforged")) << log;
    EXPECT_FALSE(contains(log, "PRIVATE KEY")) << log;
  }
}

TEST_F(LabTest, AReadyNodePrintsExactlyOneLine) {
  start_pair();
  expect_time(curl({C("/server/time")}), "time_from_server");
  EXPECT_EQ(server_->process().out(), server_->ready_line() + "\n");
  EXPECT_EQ(client_->process().out(), client_->ready_line() + "\n");
  EXPECT_TRUE(server_->ready_line().starts_with("restpipe server ready: name=hub pipe=127.0.0.1:"));
  EXPECT_TRUE(
      client_->ready_line().starts_with("restpipe client ready: name=alpha server=127.0.0.1:"));
}

}  // namespace
}  // namespace rp::product
