#include "tests/product/harness/lab.h"

#include <iostream>
#include <stdexcept>
#include <utility>

namespace rp::product {
namespace {

void must(std::vector<std::string> arguments) {
  const auto finished = restpipe(std::move(arguments));
  if (finished.exit_code != 0) throw std::runtime_error("restpipe identity: " + finished.err);
}

void must_be_ready(const Node& node) {
  if (!node.ready()) throw std::runtime_error("the node is not ready: " + node.ready_line());
}

void print_log(const char* title, const Node* node) {
  if (node != nullptr) std::cerr << "--- log of " << title << " ---\n" << node->log();
}

}  // namespace

Authority::Authority() { must({"identity", "ca", "--dir", ca().string()}); }

std::filesystem::path Authority::server(const std::string& name) {
  return issue("server", name, {"--san", "DNS:localhost", "--san", "IP:127.0.0.1"});
}

std::filesystem::path Authority::client(const std::string& name) {
  return issue("client", name, {});
}

std::filesystem::path Authority::issue(const std::string& role, const std::string& name,
                                       const std::vector<std::string>& extra) {
  const auto out = directory_ / (role + "-" + name);
  if (std::filesystem::exists(out)) return out;
  std::vector<std::string> arguments = {"identity",    role,    name,        "--ca",
                                        ca().string(), "--out", out.string()};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  must(std::move(arguments));
  return out;
}

void LabTest::TearDown() {
  if (!HasFailure()) return;
  print_log("the server", server_.get());
  print_log("the client", client_.get());
}

void LabTest::start_pair(std::vector<std::string> flags) {
  server_ = make_server({.flags = flags});
  client_ = make_client({.flags = std::move(flags)});
  must_be_ready(*server_);
  must_be_ready(*client_);
}

void LabTest::start_parity_pair(std::vector<std::string> flags) {
  const auto handlers = parity_handlers();
  flags.insert(flags.begin(), handlers.begin(), handlers.end());
  start_pair(std::move(flags));
}

void LabTest::start_methods_pair(std::vector<std::string> flags) {
  std::filesystem::create_directories(methods());
  flags.insert(flags.begin(), {"--handlers", RP_COUNTING_PLUGIN, "--handlers", RP_PARITY_PLUGIN,
                               "--exec", methods().string()});
  start_pair(std::move(flags));
}

std::unique_ptr<Node> LabTest::make_server(NodeSetup setup) {
  if (setup.identity.empty()) setup.identity = authority_.server();
  return std::make_unique<Node>(Role::server, setup);
}

std::unique_ptr<Node> LabTest::make_client(NodeSetup setup) {
  if (setup.identity.empty()) setup.identity = authority_.client();
  if (setup.pipe_port == 0 && server_) setup.pipe_port = server_->pipe_port();
  return std::make_unique<Node>(Role::client, setup);
}

void LabTest::restart_server(std::vector<std::string> flags) {
  const auto pipe_port = server_->pipe_port();
  const auto rest_port = server_->rest_port();
  server_.reset();
  server_ =
      make_server({.flags = std::move(flags), .pipe_port = pipe_port, .rest_port = rest_port});
}

void LabTest::script(const std::string& name, const std::string& text) const {
  std::filesystem::create_directories(methods());
  write_executable(methods() / name, "#!/bin/sh\n" + text + "\n");
}

std::string LabTest::data_file(const std::string& name, std::string_view body) const {
  const auto file = authority_.scratch(name);
  write_text(file, body);
  return "@" + file.string();
}

bool LabTest::server_knows(const std::string& name, TestClock::duration timeout) {
  return eventually(timeout, [&] { return listed(name); });
}

bool LabTest::server_forgets(const std::string& name, TestClock::duration timeout) {
  return eventually(timeout, [&] { return !listed(name); });
}

bool LabTest::listed(const std::string& name) {
  const auto nodes = raw_http(
      server_->rest_port(), "GET /nodes HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
  // Those whose session is kept without a link come behind the others.
  return contains(nodes.substr(0, nodes.find("\"detached\":[")), '"' + name + '"');
}

std::vector<std::string> parity_handlers() {
  return {"--handlers", RP_PARITY_PLUGIN, "--handlers", RP_DEMO_PLUGIN};
}

}  // namespace rp::product
