#include "server/session_store.h"

#include <string>

#include <gtest/gtest.h>

namespace rp::server {
namespace {

using pipe::Errc;

SessionStore::Session session(std::uint64_t number, const std::string& identity,
                              const std::string& id) {
  return {.number = number, .identity = identity, .id = id, .thread = 0, .end = {}};
}

class SessionStoreTest : public testing::Test {
 protected:
  SessionStore store_{/*sessions_max=*/2};
};

TEST_F(SessionStoreTest, FindsASessionForItsIdentityOnly) {
  ASSERT_TRUE(store_.add(session(1, "alpha", "one")));
  const auto found = store_.claim("one", "alpha", 2);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->number, 1U);
  EXPECT_EQ(store_.claim("one", "mallory", 3).error(), Errc::unknown_peer);
  EXPECT_EQ(store_.claim("two", "alpha", 4).error(), Errc::unknown_peer);
  EXPECT_EQ(store_.claim("", "alpha", 5).error(), Errc::unknown_peer);
}

TEST_F(SessionStoreTest, ANewSessionTakesThePlaceOfTheIdentitysOldOne) {
  ASSERT_TRUE(store_.add(session(1, "alpha", "one")));
  const auto replaced = store_.add(session(2, "alpha", "two"));
  ASSERT_TRUE(replaced);
  ASSERT_TRUE(*replaced);
  EXPECT_EQ((*replaced)->number, 1U);
  EXPECT_EQ(store_.size(), 1U);
  EXPECT_EQ(store_.claim("one", "alpha", 3).error(), Errc::unknown_peer);
  EXPECT_TRUE(store_.claim("two", "alpha", 4));
}

TEST_F(SessionStoreTest, AnEarlierLinkTakesNothingFromALaterOne) {
  ASSERT_TRUE(store_.add(session(5, "alpha", "five")));
  EXPECT_EQ(store_.add(session(4, "alpha", "four")).error(), Errc::replaced);
  EXPECT_EQ(store_.claim("five", "alpha", 3).error(), Errc::replaced);
  ASSERT_TRUE(store_.claim("five", "alpha", 8));
  EXPECT_EQ(store_.claim("five", "alpha", 7).error(), Errc::replaced);
  EXPECT_EQ(store_.add(session(7, "alpha", "seven")).error(), Errc::replaced);
}

TEST_F(SessionStoreTest, HasRoomForSoManyAndForTheReturnOfEach) {
  ASSERT_TRUE(store_.add(session(1, "alpha", "one")));
  ASSERT_TRUE(store_.add(session(2, "beta", "two")));
  store_.detached("alpha", 1);
  EXPECT_EQ(store_.add(session(3, "gamma", "three")).error(), Errc::overloaded);
  EXPECT_TRUE(store_.add(session(4, "beta", "four")));
  store_.remove("alpha", 1);
  EXPECT_TRUE(store_.add(session(5, "gamma", "five")));
}

TEST_F(SessionStoreTest, CountsThoseThatAreAway) {
  ASSERT_TRUE(store_.add(session(1, "alpha", "one")));
  ASSERT_TRUE(store_.add(session(2, "beta", "")));
  store_.detached("alpha", 1);
  store_.detached("alpha", 1);
  store_.detached("beta", 2);
  EXPECT_EQ(store_.detached_count(), 2U);
  store_.resumed("alpha", 1);
  EXPECT_EQ(store_.detached_count(), 1U);
  EXPECT_EQ(store_.resumes(), 1U);
  store_.remove("beta", 2);
  EXPECT_EQ(store_.detached_count(), 0U);
}

TEST_F(SessionStoreTest, TheEndOfAReplacedSessionDoesNotTouchItsSuccessor) {
  ASSERT_TRUE(store_.add(session(1, "alpha", "one")));
  ASSERT_TRUE(store_.add(session(2, "alpha", "two")));
  store_.detached("alpha", 1);
  store_.remove("alpha", 1);
  EXPECT_EQ(store_.detached_count(), 0U);
  EXPECT_TRUE(store_.claim("two", "alpha", 3));
}

}  // namespace
}  // namespace rp::server
