#include "server/registry.h"

#include <gtest/gtest.h>

#include "tests/server/fake_client.h"

namespace rp::server {
namespace {

Registry::Client client(std::uint64_t pipe, const std::string& name, const std::string& address) {
  return {.pipe = pipe,
          .origin = {.node = name, .address = address, .port = 4000},
          .target = std::make_shared<FakeClient>()};
}

TEST(RegistryTest, FindsAClientByItsIdentity) {
  Registry registry;
  const auto a = client(1, "node-a", "10.0.0.1");
  EXPECT_FALSE(registry.add(a));
  EXPECT_EQ(registry.by_name("node-a"), a.target);
  EXPECT_EQ(registry.by_name("node-b"), nullptr);
  EXPECT_EQ(registry.size(), 1U);
}

TEST(RegistryTest, TheNewestPipeOfAnIdentityWins) {
  Registry registry;
  const auto older = client(1, "node-a", "10.0.0.1");
  const auto newer = client(2, "node-a", "10.0.0.2");
  registry.add(older);
  const auto replaced = registry.add(newer);
  ASSERT_TRUE(replaced);
  EXPECT_EQ(replaced->pipe, 1U);
  EXPECT_EQ(registry.by_name("node-a"), newer.target);
  EXPECT_EQ(registry.size(), 1U);
  EXPECT_TRUE(registry.by_address({"10.0.0.1"}).nodes.empty());
}

TEST(RegistryTest, TheEndOfAReplacedPipeDoesNotTouchItsSuccessor) {
  Registry registry;
  registry.add(client(1, "node-a", "10.0.0.1"));
  registry.add(client(2, "node-a", "10.0.0.1"));
  EXPECT_FALSE(registry.remove("node-a", 1));
  EXPECT_NE(registry.by_name("node-a"), nullptr);
  EXPECT_TRUE(registry.remove("node-a", 2));
  EXPECT_EQ(registry.by_name("node-a"), nullptr);
}

TEST(RegistryTest, AnAddressFindsTheOneClientThatIsThere) {
  Registry registry;
  const auto a = client(1, "node-a", "10.0.0.1");
  registry.add(a);
  registry.add(client(2, "node-b", "10.0.0.2"));
  const auto found = registry.by_address({"::1", "10.0.0.1"});
  EXPECT_EQ(found.target, a.target);
  EXPECT_EQ(found.nodes, std::vector<std::string>{"node-a"});
}

TEST(RegistryTest, AnAddressOfSeveralClientsNamesThemAll) {
  Registry registry;
  registry.add(client(1, "node-b", "10.0.0.1"));
  registry.add(client(2, "node-a", "10.0.0.1"));
  const auto found = registry.by_address({"10.0.0.1"});
  EXPECT_EQ(found.target, nullptr);
  EXPECT_EQ(found.nodes, (std::vector<std::string>{"node-a", "node-b"}));
}

TEST(RegistryTest, RemembersNamesThatHaveBeenConnected) {
  Registry registry;
  EXPECT_FALSE(registry.is_known("node-a"));
  registry.add(client(1, "node-a", "10.0.0.1"));
  registry.remove("node-a", 1);
  EXPECT_TRUE(registry.is_known("node-a"));
}

}  // namespace
}  // namespace rp::server
