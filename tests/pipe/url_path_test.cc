#include "pipe/url_path.h"

#include <gtest/gtest.h>

namespace rp::pipe {
namespace {

TEST(UrlPathTest, SeesParentSegments) {
  for (const char* path : {"..", "/..", "../", "a/..", "/a/../b"}) {
    EXPECT_TRUE(has_dot_dot(path)) << path;
  }
  for (const char* path : {"", "/", ".", "a..", "..a", "/a..b/..c/...", "a/./b"}) {
    EXPECT_FALSE(has_dot_dot(path)) << path;
  }
}

}  // namespace
}  // namespace rp::pipe
