#include "server/admission.h"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rp::server {
namespace {

using namespace std::chrono_literals;

class AdmissionTest : public testing::Test {
 protected:
  Admission::Ticket enter(const std::string& source, const std::string& label) {
    return admission_.enter(source, now_, [this, label] { closed_.push_back(label); });
  }

  Admission::Clock::time_point now_{std::chrono::hours(1)};
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
  first = small.enter("10.0.0.1", now_, [&] { small.leave(first); });
  small.enter("10.0.0.1", now_, [] {});
  EXPECT_EQ(small.size(), 1U);
}

/// Bounds of a usual size: a crowd is 64 connections, or 24 of one source.
class AdmissionCrowdTest : public testing::Test {
 protected:
  Admission::Ticket enter(const std::string& source) {
    return admission_.enter(source, now_, [] {});
  }
  /// So many, each from a source of its own.
  std::vector<Admission::Ticket> enter_many(int count) {
    std::vector<Admission::Ticket> tickets;
    for (int i = 0; i < count; ++i) tickets.push_back(enter("source " + std::to_string(i)));
    return tickets;
  }
  bool should_wait() const { return admission_.should_wait(now_); }

  Admission::Clock::time_point now_{1h};
  Admission admission_{{.total_max = 256, .per_source_max = 32}};
};

TEST_F(AdmissionCrowdTest, FewNeverMakeOthersWait) {
  const auto tickets = enter_many(63);
  admission_.let_in(tickets.front(), now_);
  EXPECT_FALSE(should_wait());
}

TEST_F(AdmissionCrowdTest, OthersWaitWhileClientsOfACrowdGetThrough) {
  const auto tickets = enter_many(70);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_TRUE(should_wait()) << i;
    now_ += 400ms;
    admission_.let_in(tickets[i], now_);
  }
  EXPECT_TRUE(should_wait());
  admission_.let_in(tickets[6], now_);
  EXPECT_FALSE(should_wait()) << "it is no crowd any more";
}

TEST_F(AdmissionCrowdTest, NobodyWaitsLongForACrowdOfWhichNobodyGetsThrough) {
  enter_many(64);
  EXPECT_TRUE(should_wait());
  now_ += 499ms;
  EXPECT_TRUE(should_wait());
  now_ += 1ms;
  EXPECT_FALSE(should_wait());
  enter_many(64);
  EXPECT_FALSE(should_wait()) << "it is the same crowd";
}

TEST_F(AdmissionCrowdTest, LeavingIsNotGettingThrough) {
  const auto tickets = enter_many(100);
  now_ += 1s;
  admission_.leave(tickets[0]);
  EXPECT_FALSE(should_wait());
  admission_.let_in(tickets[1], now_);
  EXPECT_TRUE(should_wait());
}

TEST_F(AdmissionCrowdTest, ManyOfOneSourceAreACrowdToo) {
  std::vector<Admission::Ticket> tickets;
  for (int i = 0; i < 24; ++i) {
    EXPECT_FALSE(should_wait());
    tickets.push_back(enter("10.0.0.1"));
  }
  EXPECT_TRUE(should_wait());
  admission_.let_in(tickets.front(), now_);
  EXPECT_FALSE(should_wait());
}

TEST_F(AdmissionCrowdTest, ASourceThatIsFullStaysOneCrowd) {
  for (int i = 0; i < 100; ++i) enter("10.0.0.1");
  EXPECT_EQ(admission_.evicted(), 68U);
  now_ += 500ms;
  enter("10.0.0.1");
  EXPECT_FALSE(should_wait());
}

}  // namespace
}  // namespace rp::server
