#include <filesystem>
#include <sys/stat.h>

#include "handlers/files/files_target.h"
#include "handlers/plugin_set.h"
#include "tests/handlers/local/fixture.h"

namespace rp::handlers {
namespace {

class FilesTest : public LocalTest {
 protected:
  void SetUp() override {
    write_file("outside.txt", "outside");
    write_file("docs/hello.txt", "hello, world");
    write_file("docs/index.html", "<h1>top</h1>");
    write_file("docs/sub/index.html", "<h1>sub</h1>");
    write_file("docs/.secret", "secret");
    write_file("docs/.git/config", "secret");
    target_ = std::make_unique<FilesTarget>(FilesOptions{"docs", (directory_ / "docs").string()},
                                            threads_);
  }
  void TearDown() override { target_.reset(); }

  Asked get(const std::string& noun, pipe::Headers headers = {}) {
    auto event = make_event("get", noun);
    event.headers = std::move(headers);
    auto asked = ask(*target_, std::move(event));
    EXPECT_TRUE(eventually([&] { return asked->done() || asked->begun(); }));
    return asked;
  }
  int status_of(const std::string& noun) { return get(noun)->head().http_status; }

  static std::string header(const Asked& asked, const std::string& name) {
    for (const auto& h : asked->head().headers) {
      if (h.name == name) return h.value;
    }
    return "(none)";
  }

  std::unique_ptr<FilesTarget> target_;
};

TEST_F(FilesTest, AFileIsAnHttpResponse) {
  const auto asked = get("docs//hello.txt");
  EXPECT_EQ(asked->head().http_status, 200);
  EXPECT_EQ(asked->head().code, 0U);
  EXPECT_EQ(asked->head().content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(asked->body(), "hello, world");
  EXPECT_EQ(header(asked, "accept-ranges"), "bytes");
  EXPECT_TRUE(header(asked, "etag").starts_with('"'));
  EXPECT_TRUE(header(asked, "last-modified").ends_with(" GMT"));
  EXPECT_EQ(get("docs/hello.txt")->body(), "hello, world");
}

TEST_F(FilesTest, ADirectoryIsItsIndexBehindASlash) {
  EXPECT_EQ(get("docs//")->body(), "<h1>top</h1>");
  EXPECT_EQ(get("docs//sub/")->body(), "<h1>sub</h1>");
  const auto sub = get("docs//sub");
  EXPECT_EQ(sub->head().http_status, 301);
  EXPECT_EQ(header(sub, "location"), "./sub/");
  EXPECT_EQ(header(get("docs"), "location"), "./docs//");
  std::filesystem::create_directory(directory_ / "docs/empty");
  EXPECT_EQ(status_of("docs//empty/"), 404);
}

TEST_F(FilesTest, HiddenAndAbsentFilesAreNotThere) {
  for (const char* noun : {"docs//.secret", "docs//.git/config", "docs//none", "docs//hello.txt/",
                           "docs//hello.txt/x", "docs//sub/.", "docs//./hello.txt"}) {
    const auto asked = get(noun);
    EXPECT_EQ(asked->head().http_status, 404) << noun;
    EXPECT_EQ(asked->head().code, 404U);
    EXPECT_EQ(asked->body(), "there is no such file\n");
  }
}

TEST_F(FilesTest, NothingLeadsOut) {
  namespace fs = std::filesystem;
  fs::create_symlink("hello.txt", directory_ / "docs/inside");
  fs::create_symlink("../outside.txt", directory_ / "docs/up");
  fs::create_symlink(directory_ / "outside.txt", directory_ / "docs/absolute");
  fs::create_symlink("/", directory_ / "docs/root");
  fs::create_symlink("/proc/self/root", directory_ / "docs/magic");
  fs::create_symlink("loop", directory_ / "docs/loop");
  EXPECT_EQ(get("docs//inside")->body(), "hello, world");
  for (const char* noun :
       {"docs//up", "docs//absolute", "docs//root/etc/passwd", "docs//magic/etc/passwd",
        "docs//loop", "docs//../outside.txt", "docs//sub/../../outside.txt", "docs///etc/passwd"}) {
    EXPECT_EQ(status_of(noun), 404) << noun;
  }
}

TEST_F(FilesTest, WhatIsNoFileIsNotServedAndNotWaitedFor) {
  ASSERT_EQ(mkfifo((directory_ / "docs/fifo").c_str(), 0600), 0);
  EXPECT_EQ(status_of("docs//fifo"), 404);
}

TEST_F(FilesTest, OnlyReadingIsAllowed) {
  for (const char* verb : {"put", "post", "delete", "patch"}) {
    auto asked = ask(*target_, make_event(verb, "docs//hello.txt"), "new");
    ASSERT_TRUE(asked->wait_done());
    EXPECT_EQ(asked->head().http_status, 405) << verb;
    EXPECT_EQ(header(asked, "allow"), "GET, HEAD");
  }
  EXPECT_EQ(get("docs//hello.txt")->body(), "hello, world");
}

TEST_F(FilesTest, ARangeIsAPart) {
  const auto asked = get("docs//hello.txt", {{"range", "bytes=7-"}});
  EXPECT_EQ(asked->head().http_status, 206);
  EXPECT_EQ(header(asked, "content-range"), "bytes 7-11/12");
  EXPECT_EQ(asked->body(), "world");
  const auto beyond = get("docs//hello.txt", {{"range", "bytes=12-"}});
  EXPECT_EQ(beyond->head().http_status, 416);
  EXPECT_EQ(header(beyond, "content-range"), "bytes */12");
}

TEST_F(FilesTest, TheEntityTagChangesWithTheFile) {
  const auto etag = header(get("docs//hello.txt"), "etag");
  const auto same = get("docs//hello.txt", {{"if-none-match", etag}});
  EXPECT_EQ(same->head().http_status, 304);
  EXPECT_EQ(same->body(), "");
  EXPECT_EQ(header(same, "etag"), etag);
  write_file("docs/hello.txt", "hello, again");
  EXPECT_EQ(get("docs//hello.txt", {{"if-none-match", etag}})->body(), "hello, again");
}

TEST_F(FilesTest, AnEmptyFileIsEmpty) {
  write_file("docs/empty.txt", "");
  const auto asked = get("docs//empty.txt");
  EXPECT_EQ(asked->head().http_status, 200);
  EXPECT_EQ(asked->body(), "");
}

TEST_F(FilesTest, ALargeFileIsReadAsFastAsItIsTaken) {
  std::string content(5'000'000, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7919 >> 8);
  write_file("docs/large.bin", content);
  const auto asked = get("docs//large.bin", {{"range", "bytes=1-"}});
  EXPECT_EQ(asked->head().body_bytes, content.size() - 1);
  ASSERT_TRUE(asked->wait_bytes(pipe::kStreamWindowBytes));
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(asked->body().size(), pipe::kStreamWindowBytes) << "read ahead of its reader";
  std::size_t consumed = 0;
  while (!asked->done()) {
    const auto bytes = asked->body().size();
    asked.control->consumed(bytes - consumed);
    consumed = bytes;
    ASSERT_TRUE(asked->wait_bytes(std::min(consumed + 1, content.size() - 1)));
  }
  EXPECT_EQ(asked->error(), std::nullopt);
  EXPECT_TRUE(asked->body() == content.substr(1));
}

TEST_F(FilesTest, AFileThatBecomesShorterBreaksTheAnswerOff) {
  write_file("docs/shrinks.bin", std::string(1'000'000, 'x'));
  const auto asked = get("docs//shrinks.bin");
  ASSERT_TRUE(asked->wait_bytes(pipe::kStreamWindowBytes));
  std::filesystem::resize_file(directory_ / "docs/shrinks.bin", 100);
  asked.control->consumed(pipe::kStreamWindowBytes);
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->error(), pipe::Errc::handler_failed);
}

TEST_F(FilesTest, ACancelledTransferLetsGoOfItsFile) {
  write_file("docs/large.bin", std::string(1'000'000, 'x'));
  const auto open_here = [&] {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code ignored;
      const auto to = std::filesystem::read_symlink(entry.path(), ignored);
      count += to == directory_ / "docs/large.bin" ? 1U : 0U;
    }
    return count;
  };
  const auto asked = get("docs//large.bin");
  ASSERT_TRUE(asked->wait_bytes(pipe::kStreamWindowBytes));
  EXPECT_EQ(open_here(), 1U);
  asked.control->cancel();
  EXPECT_TRUE(eventually([&] { return open_here() == 0; }));
}

TEST_F(FilesTest, ADirectoryThatIsNotThereIsRefusedAtTheStart) {
  EXPECT_THROW(FilesTarget({"x", (directory_ / "none").string()}, threads_), PluginRefused);
  EXPECT_THROW(FilesTarget({"x", (directory_ / "outside.txt").string()}, threads_), PluginRefused);
}

}  // namespace
}  // namespace rp::handlers
