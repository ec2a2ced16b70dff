#include "node/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rp::node {
namespace {

using testing::ElementsAre;

TEST(HealthTest, AFreshNodeIsStarting) {
  const Health health;
  EXPECT_FALSE(health.ready());
  EXPECT_THAT(health.reasons(), ElementsAre("starting"));
  EXPECT_EQ(health.readiness().json, R"({"status":"not ready","reasons":["starting"]})");
}

TEST(HealthTest, IsReadyOnceNoReasonHolds) {
  Health health;
  health.set(Health::kNoPipe, true);
  health.set(Health::kStarting, false);
  EXPECT_FALSE(health.ready());
  health.set(Health::kNoPipe, false);
  EXPECT_TRUE(health.ready());
  EXPECT_TRUE(health.readiness().ready);
  EXPECT_EQ(health.readiness().json, R"({"status":"ready"})");
}

TEST(HealthTest, SettingAReasonTwiceIsSettingItOnce) {
  Health health;
  health.set(Health::kStarting, false);
  health.set(Health::kDraining, true);
  health.set(Health::kDraining, true);
  EXPECT_THAT(health.reasons(), ElementsAre("draining"));
  health.set(Health::kDraining, false);
  health.set(Health::kDraining, false);
  EXPECT_TRUE(health.ready());
}

TEST(HealthTest, TheBodyIsJsonWhateverTheReason) {
  Health health;
  health.set(Health::kStarting, false);
  health.set("disk \"a\"\nfull", true);
  EXPECT_EQ(health.readiness().json, R"({"status":"not ready","reasons":["disk \"a\"\nfull"]})");
  EXPECT_EQ(Health::health_json(), R"({"status":"ok"})");
}

}  // namespace
}  // namespace rp::node
