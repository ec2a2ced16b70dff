#include "node/suggest.h"

#include <gtest/gtest.h>

namespace rp::node {
namespace {

TEST(SuggestTest, CountsEditsAndSwappedNeighbours) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("listen", "listen"), 0U);
  EXPECT_EQ(edit_distance("lisen", "listen"), 1U);
  EXPECT_EQ(edit_distance("litsen", "listen"), 1U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(SuggestTest, FindsTheNearestWordWhateverItsCase) {
  const std::vector<std::string> words{"listen", "server", "log.level"};
  EXPECT_EQ(nearest("lisen", words), "listen");
  EXPECT_EQ(nearest("LOG.LEVL", words), "log.level");
}

TEST(SuggestTest, OffersNothingWhenNothingIsNear) {
  const std::vector<std::string> words{"listen", "server"};
  EXPECT_EQ(nearest("wibble", words), "");
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest(std::string(1000, 'l'), words), "");
}

}  // namespace
}  // namespace rp::node
