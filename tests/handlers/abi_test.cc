// Plugins and nodes of different versions: structs grow at their ends, and each side looks no
// further than the other one's size.
#include <cstddef>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <restpipe/sdk/restpipe.hpp>

#include "tests/handlers/plugins.h"

namespace {

// What version 1.0 of the contract had, byte for byte, where a pointer and a size_t have 8 bytes.
static_assert(sizeof(void*) != 8 || offsetof(restpipe_host, read) == 144);
static_assert(sizeof(void*) != 8 || offsetof(restpipe_invocation, body_bytes) == 192);
static_assert(sizeof(void*) != 8 || sizeof(restpipe_method) == 64);
static_assert(sizeof(void*) != 8 || sizeof(restpipe_reply_head) == 56);
static_assert(sizeof(void*) != 8 || sizeof(restpipe_plugin) == 96);

struct Old {
  std::string put_whole(const rp::Request& request) { return std::string(request.body()); }
  std::string put_pieces(rp::Body) { return ""; }
};

/// A node of the given size that accepts every method.
restpipe_host node_of_size(std::size_t size) {
  restpipe_host host{};
  host.size = size;
  host.abi_version = RESTPIPE_ABI_VERSION;
  host.register_method = [](const restpipe_host*, const restpipe_method*) -> restpipe_status {
    return RESTPIPE_OK;
  };
  return host;
}

TEST(AbiTest, APluginWithoutNewThingsRunsInAnOldNode) {
  const auto host = node_of_size(offsetof(restpipe_host, read));
  Old plugin;
  std::deque<rp::detail::Entry> entries;
  rp::Methods<Old> methods(&host, plugin, entries);
  EXPECT_NO_THROW(methods.add("put_whole", &Old::put_whole));
}

TEST(AbiTest, APluginThatReadsBodiesTellsAnOldNodeWhy) {
  Old plugin;
  std::deque<rp::detail::Entry> entries;
  const auto old = node_of_size(offsetof(restpipe_host, on_readable));
  rp::Methods<Old> refused(&old, plugin, entries);
  try {
    refused.add("put_pieces", &Old::put_pieces);
    FAIL() << "it must not call what is not there";
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(),
                 "the method 'put_pieces' reads its body in pieces, which this node cannot");
  }
  const auto current = node_of_size(sizeof(restpipe_host));
  rp::Methods<Old> taken(&current, plugin, entries);
  EXPECT_NO_THROW(taken.add("put_pieces", &Old::put_pieces));
}

/// The plugin that was built against 1.0, in the node of today.
class Version10Test : public rp::handlers::PluginFixture {
 protected:
  void SetUp() override { load("plugin_1_0"); }
};

TEST_F(Version10Test, ItIsLoadedAndFindsItsFields) {
  auto event = rp::handlers::make_event("get", "request_id");
  event.request_id = "the-id";
  const auto asked = rp::handlers::ask(dispatcher_, std::move(event), "");
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->head().code, 0u);
  EXPECT_EQ(asked->body(), "the-id");
}

TEST_F(Version10Test, ABodyThatFollowsIsWholeForIt) {
  auto event = rp::handlers::make_event("put", "whole");
  event.body_follows = true;
  const auto asked = rp::handlers::ask(dispatcher_, std::move(event), "");
  asked.control->body_data("in ");
  asked.control->body_data("pieces");
  EXPECT_FALSE(asked->done());
  asked.control->body_end();
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->body(), "in pieces");
}

TEST_F(Version10Test, ItStreams) {
  const auto asked = get("stream//a/b/c");
  EXPECT_TRUE(asked->begun());
  EXPECT_EQ(asked->body(), "abc");
}

}  // namespace
