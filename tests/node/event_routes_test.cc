#include "node/event_routes.h"

#include <atomic>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/rest/front_end.h"

namespace rp::node {
namespace {

/// A front-end with both routes; each answers what it is called with.
class EventRoutesTest : public testing::Test {
 protected:
  EventRoutesTest() {
    for (const char* prefix : {"/server/", "/client/"}) {
      add_event_route(
          router_, prefix,
          [](const std::shared_ptr<rest::Exchange>& exchange, const rest::EventAddress& address) {
            const bool server = address.side == rest::EventAddress::Side::server;
            exchange->respond(rest::test::ok((server ? "server" : "client") +
                                             (" '" + address.host) + "' '" + address.noun + "'"));
          });
    }
  }

  rest::test::Answer ask(const std::string& path) const {
    return front_.ask(rest::test::get(path));
  }

  rest::Router router_;
  std::atomic<bool> streams_{false};  // the last request's route takes a body that follows
  const rest::test::FrontEnd front_{[this](const std::shared_ptr<rest::Exchange>& exchange) {
    streams_ = router_.streams_body(exchange->request());
    router_(exchange);
  }};
};

TEST_F(EventRoutesTest, AnEventComesWithItsAddress) {
  EXPECT_EQ(ask("/server/cat//a/b").body, "server '' 'cat//a/b'");
  EXPECT_EQ(ask("/client/alpha/time").body, "client 'alpha' 'time'");
}

TEST_F(EventRoutesTest, AnyMethodIsTakenAndABodyMayFollow) {
  const auto answer = front_.ask("BREW /server/pot HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(answer.body, "server '' 'pot'");
  EXPECT_TRUE(streams_);
}

TEST_F(EventRoutesTest, APathThatIsNoAddressIs404) {
  for (const char* path : {"/client/", "/client/alpha", "/client//time", "/client/a:b/time"}) {
    EXPECT_EQ(ask(path).status, 404) << path;
  }
}

}  // namespace
}  // namespace rp::node
