#include "handlers/isolated/host_wire.h"

#include <gtest/gtest.h>

namespace rp::handlers {
namespace {

TEST(HostWireTest, EveryMessageIsReadAsItWasWritten) {
  const HostStart start{Role::client, "n\"7", LogLevel::debug, 3, 4, 5'000'000'000};
  EXPECT_EQ(decode_start(encode(start)), start);
  const HostedPlugin plugin{"p", {{"get", "a", true}, {"put", "b_*", false}}};
  EXPECT_EQ(decode_plugin(encode(plugin)), plugin);
  const HostLogLine line{LogLevel::error, "plugin", "m", {{"k", "v\n\x01\xff"}, {"", ""}}};
  EXPECT_EQ(decode_log_line(encode(line)), line);
  EXPECT_EQ(decode_log_level(encode(LogLevel::warning)), LogLevel::warning);
  EXPECT_EQ(decode_drain(encode(std::chrono::milliseconds(1500))), std::chrono::milliseconds(1500));
}

TEST(HostWireTest, EveryKindOfStateChangeIsReadAsItWasWritten) {
  for (int kind = 0; kind <= static_cast<int>(StateChange::Kind::connect_fail); ++kind) {
    const StateChange change{
        static_cast<StateChange::Kind>(kind), {"name", "2001:db8::1", 65535}, 7, 1.25, 60};
    const auto read = decode_state(encode(change));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->kind, change.kind);
    EXPECT_EQ(read->peer.name, "name");
    EXPECT_EQ(read->peer.address, "2001:db8::1");
    EXPECT_EQ(read->peer.port, 65535);
    EXPECT_EQ(read->count, 7U);
    EXPECT_EQ(read->since_s, 1.25);
    EXPECT_EQ(read->seconds, 60);
  }
}

TEST(HostWireTest, WhatIsOfAnotherShapeIsNothing) {
  for (const std::string text :
       {"", "{", "[]", "null", "7x", "-1", "99999999999999999999", "{\"level\":9}",
        R"({"level":4,"component":"c","message":"m","fields":[]})",
        R"({"level":1,"component":"c","message":"m","fields":[["k"]]})",
        R"({"level":1,"component":"c","message":7,"fields":[]})",
        R"({"name":"p","methods":[["get","a"]]})", R"({"name":"p","methods":[["get","a",1]]})",
        R"({"kind":7,"name":"n","address":"a","port":1,"count":1,"since_s":0,"seconds":0})",
        R"({"kind":1,"name":"n","address":"a","port":65536,"count":1,"since_s":0,"seconds":0})"}) {
    EXPECT_FALSE(decode_start(text)) << text;
    EXPECT_FALSE(decode_plugin(text)) << text;
    EXPECT_FALSE(decode_log_line(text)) << text;
    EXPECT_FALSE(decode_state(text)) << text;
    EXPECT_FALSE(decode_log_level(text)) << text;
    EXPECT_FALSE(decode_drain(text)) << text;
  }
}

TEST(HostWireTest, AnOriginTravelsInTheEvent) {
  for (const pipe::Origin& origin :
       {pipe::Origin{"alice", "192.0.2.7", 4711}, pipe::Origin{"", "unix", 0},
        pipe::Origin{"bob", "fe80::1%eth0", 65535}}) {
    pipe::Event event;
    note_origin(origin, event);
    const auto read = take_origin(event, event.caller);
    EXPECT_EQ(read.node, origin.node);
    EXPECT_EQ(read.address, origin.address);
    EXPECT_EQ(read.port, origin.port);
    EXPECT_EQ(event.target, "");
  }
}

}  // namespace
}  // namespace rp::handlers
