#include <condition_variable>
#include <deque>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include <grpcpp/grpcpp.h>
#include <tools/bench/echo.grpc.pb.h>

#include "tools/bench/echo_main.h"

/// The gRPC side: one bidirectional stream over mutual TLS, by the callback interface, which gRPC
/// recommends. Answers and calls that queue up are hinted to leave together.
namespace rp::bench {
namespace {

using restpipe::bench::Echo;
using restpipe::bench::Message;

std::string text(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

/// gRPC takes one write at a time: this keeps the others in order.
template <class Reactor>
class Writes {
 public:
  explicit Writes(Reactor& reactor) : reactor_(reactor) {}

  void push(Message message) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(message));
    if (waiting_.size() == 1) write_first();
  }

  /// The first one is out.
  void on_done() {
    const std::lock_guard lock(mutex_);
    waiting_.pop_front();
    if (!waiting_.empty()) write_first();
  }

 private:
  void write_first() {
    grpc::WriteOptions options;
    if (waiting_.size() > 1) options.set_buffer_hint();
    reactor_.StartWrite(&waiting_.front(), options);
  }

  Reactor& reactor_;
  std::mutex mutex_;
  std::deque<Message> waiting_;
};

class Answers final : public grpc::ServerBidiReactor<Message, Message> {
 public:
  Answers() { StartRead(&read_); }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    writes_.push(read_);
    StartRead(&read_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) writes_.on_done();
  }
  void OnDone() override { delete this; }

 private:
  Message read_;
  Writes<Answers> writes_{*this};
};

class Service final : public Echo::CallbackService {
  grpc::ServerBidiReactor<Message, Message>* Calls(grpc::CallbackServerContext*) override {
    return new Answers;  // deletes itself in OnDone()
  }
};

class Calls final : public grpc::ClientBidiReactor<Message, Message> {
 public:
  Calls(Echo::Stub& stub, ClosedLoop& loop) : loop_(loop) {
    stub.async()->Calls(&context_, this);
    StartRead(&read_);
    StartCall();
    loop_.start();
    for (std::uint32_t caller = 0; caller < loop_.in_flight(); ++caller) call(caller);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (loop_.answered(read_.caller())) call(read_.caller());
    if (loop_.done()) return StartWritesDone();
    StartRead(&read_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) writes_.on_done();
  }
  void OnDone(const grpc::Status& status) override {
    const std::lock_guard lock(mutex_);
    status_ = status;
    ended_ = true;
    changed_.notify_one();
  }

  void await_end() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_; });
    if (!loop_.done()) throw std::runtime_error("the stream broke: " + status_.error_message());
  }

 private:
  void call(std::uint32_t caller) {
    Message message;
    message.set_caller(caller);
    message.set_body(body_);
    writes_.push(std::move(message));
  }

  ClosedLoop& loop_;
  const std::string body_ = std::string(kBodyBytes, 'x');
  grpc::ClientContext context_;
  Message read_;
  Writes<Calls> writes_{*this};
  std::mutex mutex_;
  std::condition_variable changed_;
  grpc::Status status_;
  bool ended_ = false;
};

void serve(const std::filesystem::path& identity, std::uint16_t wanted_port) {
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = text(identity / "ca.crt.pem");
  options.pem_key_cert_pairs.push_back(
      {text(identity / "restpipe.server.key.pem"), text(identity / "restpipe.server.crt.pem")});
  Service service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + std::to_string(wanted_port),
                           grpc::SslServerCredentials(options), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  if (!server) throw std::runtime_error("the gRPC server did not start");
  announce(static_cast<std::uint16_t>(port));
  server->Wait();
}

void load(const std::filesystem::path& identity, std::uint16_t port, ClosedLoop& loop) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = text(identity / "ca.crt.pem");
  options.pem_private_key = text(identity / "restpipe.client.key.pem");
  options.pem_cert_chain = text(identity / "restpipe.client.crt.pem");
  const auto channel =
      grpc::CreateChannel("localhost:" + std::to_string(port), grpc::SslCredentials(options));
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10))) {
    throw std::runtime_error("no gRPC connection");
  }
  const auto stub = Echo::NewStub(channel);
  Calls calls(*stub, loop);
  calls.await_end();
}

}  // namespace
}  // namespace rp::bench

int main(int argc, char** argv) {
  return rp::bench::echo_main(argc, argv, {&rp::bench::serve, &rp::bench::load});
}
