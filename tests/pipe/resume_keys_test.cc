#include "pipe/resume_keys.h"

#include <gtest/gtest.h>

namespace rp::pipe {
namespace {

TEST(ResumeKeysTest, AreOfTheLengthsOfTheWireAndNeverTheSame) {
  const ResumeKeys one;
  const ResumeKeys other;
  EXPECT_EQ(one.session_id().size(), ResumeKeys::kIdBytes);
  EXPECT_EQ(one.secret().size(), ResumeKeys::kSecretBytes);
  EXPECT_NE(one.session_id(), other.session_id());
  EXPECT_NE(one.secret(), other.secret());
  EXPECT_FALSE(one.admits(other.secret()));
}

TEST(ResumeKeysTest, AdmitTheirSecretAndNothingElse) {
  const ResumeKeys keys;
  EXPECT_TRUE(keys.admits(keys.secret()));
  std::string almost = keys.secret();
  almost.back() = static_cast<char>(almost.back() ^ 1);
  EXPECT_FALSE(keys.admits(almost));
  EXPECT_FALSE(keys.admits(keys.secret().substr(1)));
  EXPECT_FALSE(keys.admits(keys.secret() + "x"));
  EXPECT_FALSE(keys.admits(""));
}

TEST(ResumeKeysTest, TheUsedSecretIsGoodUntilTheNewOneHasArrived) {
  ResumeKeys keys;
  const std::string first = keys.secret();
  keys.renew(first);
  const std::string second = keys.secret();
  EXPECT_NE(second, first);
  EXPECT_TRUE(keys.admits(first));
  EXPECT_TRUE(keys.admits(second));
  keys.confirm();
  EXPECT_FALSE(keys.admits(first));
  EXPECT_TRUE(keys.admits(second));
}

TEST(ResumeKeysTest, AnOfferThatWasNeverHeardIsWorthNothingLater) {
  ResumeKeys keys;
  const std::string first = keys.secret();
  keys.renew(first);
  const std::string lost = keys.secret();
  keys.renew(first);  // the link broke before the peer had heard of it
  EXPECT_FALSE(keys.admits(lost));
  EXPECT_TRUE(keys.admits(first));
}

}  // namespace
}  // namespace rp::pipe
