#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "pipe/event.h"

namespace rp::server {

/// Where the replies of one gather come together. Safe from any thread.
class GatherTally {
 public:
  virtual ~GatherTally() = default;

  /// Counts bytes that are about to be held; false when they are too many.
  virtual bool take(std::size_t bytes) = 0;
  virtual void give_back(std::size_t bytes) = 0;

  /// The end of one client's part. Of the members `counted` bytes have been taken before.
  virtual void settle(const std::string& name, const std::string& members, std::size_t counted) = 0;
};

/// Takes one client's reply, whole or streamed, as far as the bounds go, and settles it as the
/// members of a JSON object: the reply, or the reason why there is none.
class GatheredReply final : public pipe::ReplySink {
 public:
  /// A tally that is gone takes nothing any more.
  GatheredReply(std::weak_ptr<GatherTally> tally, std::string name, std::size_t bytes_max)
      : tally_(std::move(tally)), name_(std::move(name)), bytes_max_(bytes_max) {}

  /// The way back to the client, known only after submit() has returned. Once.
  void steer(std::shared_ptr<pipe::CallControl> control);
  /// Nobody waits for this client any more. From any thread.
  void cancel();

  void reply(pipe::ReplyHead&& head, std::string&& body) override;
  void begin(pipe::ReplyHead&& head) override;
  void data(std::string piece) override;
  void end() override;
  void fail(pipe::Failure failure) override;

 private:
  bool take(const std::string& piece);
  void consumed(std::size_t bytes);
  void give_up(GatherTally& tally, const pipe::Failure& failure);

  const std::weak_ptr<GatherTally> tally_;  // it owns this reply until it is settled
  const std::string name_;
  const std::size_t bytes_max_;

  // Touched by the sink's members, which run one at a time.
  pipe::ReplyHead head_;
  std::string body_;
  bool done_ = false;

  std::mutex mutex_;  // guards the rest
  std::shared_ptr<pipe::CallControl> control_;
  std::size_t untold_ = 0;  // consumed before control_ was known
  bool cancelled_ = false;
};

}  // namespace rp::server
