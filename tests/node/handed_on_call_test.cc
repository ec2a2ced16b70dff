#include "node/handed_on_call.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rp::node {
namespace {

/// Notes what it is asked, and may ask its own caller for more from inside.
class NotedCall final : public pipe::CallControl {
 public:
  void cancel() override { notes.emplace_back("cancel"); }
  void consumed(std::size_t bytes) override {
    notes.push_back("consumed " + std::to_string(bytes));
  }
  void body_data(std::string piece) override {
    notes.push_back(piece);
    if (on_piece) on_piece();
  }
  void body_end() override { notes.emplace_back("end"); }

  std::vector<std::string> notes;
  std::function<void()> on_piece;
};

class HeldCall final : public HandedOnCall {
 public:
  using HandedOnCall::hand_on;
};

using Notes = std::vector<std::string>;

class HandedOnCallTest : public testing::Test {
 protected:
  HeldCall call_;
  std::shared_ptr<NotedCall> next_ = std::make_shared<NotedCall>();
};

TEST_F(HandedOnCallTest, PassesOnWhatComesLater) {
  call_.hand_on(next_);
  call_.body_data("a");
  call_.body_end();
  call_.consumed(7);
  call_.cancel();
  EXPECT_EQ(next_->notes, (Notes{"a", "end", "consumed 7", "cancel"}));
}

TEST_F(HandedOnCallTest, KeepsTheBodyThatCameBefore) {
  call_.body_data("a");
  call_.body_data("b");
  call_.body_end();
  call_.hand_on(next_);
  EXPECT_EQ(next_->notes, (Notes{"a", "b", "end"}));
}

TEST_F(HandedOnCallTest, AddsUpWhatWasConsumedBefore) {
  call_.consumed(3);
  call_.consumed(4);
  call_.hand_on(next_);
  EXPECT_EQ(next_->notes, Notes{"consumed 7"});
}

TEST_F(HandedOnCallTest, APieceThatComesMeanwhileQueuesBehind) {
  call_.body_data("a");
  call_.body_data("b");
  next_->on_piece = [this] {
    next_->on_piece = nullptr;
    call_.body_data("c");  // as another thread may, between "a" and "b"
  };
  call_.hand_on(next_);
  EXPECT_EQ(next_->notes, (Notes{"a", "b", "c"}));
}

TEST_F(HandedOnCallTest, ACancelledCallHandsOnItsCancelOnly) {
  call_.body_data("a");
  call_.cancel();
  call_.body_data("b");
  call_.hand_on(next_);
  EXPECT_EQ(next_->notes, Notes{"cancel"});
}

}  // namespace
}  // namespace rp::node
