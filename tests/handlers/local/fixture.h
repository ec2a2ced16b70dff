#pragma once

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "handlers/local/threads.h"
#include "tests/handlers/recording_sink.h"

namespace rp::handlers {

/// Passes an answer on to a RecordingSink and counts what was used of the request's body.
class BodySink final : public pipe::ReplySink {
 public:
  explicit BodySink(std::shared_ptr<RecordingSink> sink) : sink_(std::move(sink)) {}

  void reply(pipe::ReplyHead&& head, std::string&& body) override {
    sink_->reply(std::move(head), std::move(body));
  }
  void begin(pipe::ReplyHead&& head) override { sink_->begin(std::move(head)); }
  void data(std::string piece) override { sink_->data(std::move(piece)); }
  void end() override { sink_->end(); }
  void fail(pipe::Failure failure) override { sink_->fail(std::move(failure)); }
  void body_consumed(std::size_t bytes) override { consumed_ += bytes; }

  std::size_t consumed() const { return consumed_; }

 private:
  const std::shared_ptr<RecordingSink> sink_;
  std::atomic<std::size_t> consumed_{0};
};

/// A private directory and the threads of the targets. Derived fixtures make the target in SetUp()
/// and drop it, with its calls, before their base goes.
class LocalTest : public ::testing::Test {
 protected:
  LocalTest() {
    std::string name = (std::filesystem::temp_directory_path() / "rp-local-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory_ = name;
  }
  ~LocalTest() override {
    threads_.stop();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  std::filesystem::path write_file(const std::string& name, const std::string& text,
                                   std::filesystem::perms mode = std::filesystem::perms(0644)) {
    const auto path = directory_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    std::filesystem::permissions(path, mode);
    return path;
  }

  /// An event whose body comes in pieces.
  std::shared_ptr<pipe::CallControl> open(pipe::EventTarget& target, pipe::Event event,
                                          std::shared_ptr<BodySink> sink) {
    event.body_follows = true;
    return target.submit(std::move(event), {}, {"alice", "192.0.2.7", 4711}, std::move(sink));
  }

  std::filesystem::path directory_;
  Threads threads_;
};

}  // namespace rp::handlers
