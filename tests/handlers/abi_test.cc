// Plugins and nodes of different versions: structs grow at their ends, and each side looks no
// further than the other one's size.
#include <cstddef>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <restpipe/sdk/restpipe.hpp>

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

}  // namespace
