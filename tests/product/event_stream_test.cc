#include "tests/product/harness/event_stream.h"

#include <gtest/gtest.h>

#include "tests/product/harness/mesh.h"

/// Event streams pass every node on the way event by event, never in bundles.
namespace rp::product {
namespace {

constexpr std::size_t kEvents = 40;
constexpr auto kInterval = 50ms;
const std::string kTicks =
    "/ticks//" + std::to_string(kEvents) + "/" + std::to_string(kInterval.count());

class EventStreamTest : public MeshTest {
 protected:
  void SetUp() override {
    const std::vector<std::string> flags = {"--handlers", RP_COUNTING_PLUGIN};
    start_server(kOpenPolicy, flags);
    connect("alpha", flags);
  }
};

TEST_F(EventStreamTest, AStreamOfAPluginOnTheServerArrivesEventByEvent) {
  expect_one_by_one(node("alpha").rest_port(), "/server" + kTicks, kEvents, kInterval);
}

TEST_F(EventStreamTest, AStreamOfAPluginOnAClientArrivesEventByEvent) {
  expect_one_by_one(server_->rest_port(), "/client/alpha" + kTicks, kEvents, kInterval);
}

TEST_F(EventStreamTest, AStreamThatIsRelayedArrivesEventByEvent) {
  connect("beta");
  expect_one_by_one(node("beta").rest_port(), "/client/alpha" + kTicks, kEvents, kInterval);
}

}  // namespace
}  // namespace rp::product
