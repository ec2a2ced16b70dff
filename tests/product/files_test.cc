#include <filesystem>

#include <gtest/gtest.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"

/// A directory of files, read through the whole program.
namespace rp::product {
namespace {

class FilesProductTest : public LabTest {
 protected:
  void SetUp() override {
    const auto docs = authority_.scratch("docs");
    std::filesystem::create_directories(docs / "sub");
    write_text(docs / "index.html", "<a href=\"sub\">sub</a>");
    write_text(docs / "sub/index.html", "sub");
    large_.resize(6'000'000);
    for (std::size_t i = 0; i < large_.size(); ++i) large_[i] = static_cast<char>(i * 31 >> 7);
    write_text(docs / "large.bin", large_);
    start_pair({"--files", "docs=" + docs.string()});
  }

  std::string docs(const std::string& path) const { return S("/client/alpha/docs//" + path); }

  std::string large_;
};

TEST_F(FilesProductTest, FilesComeWithTheirHeaders) {
  const auto response = curl({docs("large.bin")});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("content-length").value_or(""), "6000000");
  EXPECT_EQ(response.content_type(), "application/octet-stream");
  EXPECT_TRUE(response.body == large_);
  const auto etag = response.header("etag").value_or("");
  EXPECT_EQ(curl({"-H", "If-None-Match: " + etag, docs("large.bin")}).status, 304);
  EXPECT_EQ(curl({C("/server/docs//sub/")}).body, "sub");
}

TEST_F(FilesProductTest, HeadTellsTheLengthAndMovesNothing) {
  for (const auto& [path, length] :
       {std::pair{"large.bin", "6000000"}, std::pair{"sub/index.html", "3"}}) {
    const auto response = curl({"--head", docs(path)});
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.header("content-length").value_or(""), length);
    EXPECT_NE(response.header("etag"), std::nullopt);
  }
}

TEST_F(FilesProductTest, RangesResumeADownload) {
  const auto part = curl({"-r", "1000-5999999", docs("large.bin")});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.header("content-range").value_or(""), "bytes 1000-5999999/6000000");
  EXPECT_TRUE(part.body == large_.substr(1000));
  const auto tail = curl({"-r", "-5", docs("large.bin")});
  EXPECT_EQ(tail.body, large_.substr(large_.size() - 5));
  EXPECT_EQ(tail.header("content-length").value_or(""), "5");
  const auto beyond = curl({"-r", "6000000-", docs("large.bin")});
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.header("content-range").value_or(""), "bytes */6000000");
  const auto stale = curl({"-r", "0-4", "-H", "If-Range: \"other\"", docs("large.bin")});
  EXPECT_EQ(stale.status, 200);
}

TEST_F(FilesProductTest, RelativeLinksWorkBehindAnyPrefix) {
  const auto top = curl({"-L", S("/client/alpha/docs")});
  EXPECT_EQ(top.status, 200);
  EXPECT_TRUE(contains(top.body, "href"));
  EXPECT_EQ(curl({"-L", docs("sub")}).body, "sub");
}

TEST_F(FilesProductTest, NothingElseIsReachable) {
  for (const char* path : {"%2e%2e/hub/restpipe.server.key.pem", "..%2fca", ".hidden", "none",
                           "%2fetc/passwd", "sub/..%2f..%2fca"}) {
    const auto response = curl({"--path-as-is", docs(path)});
    EXPECT_GE(response.status, 400) << path;
    EXPECT_LT(response.status, 500) << path;
  }
  EXPECT_EQ(curl({"-X", "PUT", "-d", "x", docs("new.txt")}).status, 405);
}

TEST_F(LabTest, ADirectoryOfFilesThatIsNotThereStopsTheStart) {
  const auto command = node_command(
      Role::server, {.identity = authority_.server(), .flags = {"--files", "x=/no/such/place"}});
  const auto finished = run(command);
  EXPECT_EQ(finished.exit_code, 7);
  EXPECT_TRUE(contains(finished.err, "/no/such/place")) << finished.err;
}

}  // namespace
}  // namespace rp::product
