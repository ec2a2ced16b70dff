#include "pipe/wake_batch.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace rp::pipe {
namespace {

struct OfThread {
  bool has_batch = false;
  std::vector<std::shared_ptr<Sleeper>> sleepers;
};
thread_local OfThread of_thread;

}  // namespace

WakeBatch::WakeBatch() : outermost_(!std::exchange(of_thread.has_batch, true)) {}

WakeBatch::~WakeBatch() {
  if (!outermost_) return;
  of_thread.has_batch = false;
  for (const auto& sleeper : of_thread.sleepers) sleeper->wake_for_work();
  of_thread.sleepers.clear();
}

bool WakeBatch::defer(std::shared_ptr<Sleeper> sleeper) {
  if (!of_thread.has_batch) return false;
  auto& sleepers = of_thread.sleepers;
  if (std::find(sleepers.begin(), sleepers.end(), sleeper) == sleepers.end()) {
    sleepers.push_back(std::move(sleeper));
  }
  return true;
}

}  // namespace rp::pipe
