#include "server/admission.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rp::server {
namespace {

class AdmissionTest : public testing::Test {
 protected:
  Admission::Ticket enter(const std::string& source, const std::string& label) {
    return admission_.enter(source, [this, label] { closed_.push_back(label); });
  }

  Admission admission_{{.total_max = 4, .per_source_max = 2}};
  std::vector<std::string> closed_;
};

TEST_F(AdmissionTest, LetsInAsManyAsItsBounds) {
  enter("10.0.0.1", "a");
  enter("10.0.0.1", "b");
  enter("10.0.0.2", "c");
  enter("10.0.0.3", "d");
  EXPECT_TRUE(closed_.empty());
  EXPECT_EQ(admission_.size(), 4U);
}

TEST_F(AdmissionTest, ClosesTheOldestOfTheSameSourceWhenThatIsFull) {
  enter("10.0.0.2", "other");
  enter("10.0.0.1", "first");
  enter("10.0.0.1", "second");
  enter("10.0.0.1", "third");
  EXPECT_EQ(closed_, std::vector<std::string>{"first"});
  EXPECT_EQ(admission_.size(), 3U);
  EXPECT_EQ(admission_.evicted(), 1U);
}

TEST_F(AdmissionTest, ClosesTheOldestOfAllWhenTheTotalIsReached) {
  enter("10.0.0.1", "a");
  enter("10.0.0.2", "b");
  enter("10.0.0.3", "c");
  enter("10.0.0.4", "d");
  enter("10.0.0.5", "e");
  EXPECT_EQ(closed_, std::vector<std::string>{"a"});
  EXPECT_EQ(admission_.size(), 4U);
}

TEST_F(AdmissionTest, ForgetsThoseWhoLeaveAndIgnoresTheirSecondLeaving) {
  const auto a = enter("10.0.0.1", "a");
  enter("10.0.0.1", "b");
  admission_.leave(a);
  admission_.leave(a);
  enter("10.0.0.1", "c");
  EXPECT_TRUE(closed_.empty());
  EXPECT_EQ(admission_.size(), 2U);
}

TEST_F(AdmissionTest, TheEvictedOneMayLeaveAfterwards) {
  const auto first = enter("10.0.0.1", "first");
  enter("10.0.0.1", "second");
  enter("10.0.0.1", "third");
  admission_.leave(first);
  EXPECT_EQ(admission_.size(), 2U);
}

TEST_F(AdmissionTest, CloseMayCallBackIn) {
  Admission small({.total_max = 1, .per_source_max = 1});
  Admission::Ticket first = 0;
  first = small.enter("10.0.0.1", [&] { small.leave(first); });
  small.enter("10.0.0.1", [] {});
  EXPECT_EQ(small.size(), 1U);
}

}  // namespace
}  // namespace rp::server
