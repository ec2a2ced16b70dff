#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "queue/channel.h"

namespace rp::queue {
namespace {

using namespace std::chrono_literals;

/// A channel as the sentences of its header: one unordered list, searched from end to end.
class Model {
 public:
  struct Kept {
    Message message;
    TimePoint shown_at;
    std::uint64_t lease = 0;
  };

  void pass_time(TimePoint now) {
    std::erase_if(kept, [&](Kept& k) {
      const auto& m = k.message;
      if (m.expires_at && *m.expires_at <= now) return true;
      if (k.shown_at > now) return false;
      k.lease = 0;
      const bool dead = m.deliveries_max != 0 && m.delivered >= m.deliveries_max;
      if (dead) ++dead_count;
      return dead;
    });
  }

  Kept* first_ready(TimePoint now) {
    Kept* best = nullptr;
    for (auto& k : kept) {
      if (k.shown_at > now) continue;
      const auto key = std::pair(k.message.priority, k.message.id);
      if (!best || key < std::pair(best->message.priority, best->message.id)) best = &k;
    }
    return best;
  }

  Kept* find(std::uint64_t id) {
    const auto at =
        std::find_if(kept.begin(), kept.end(), [&](const Kept& k) { return k.message.id == id; });
    return at == kept.end() ? nullptr : &*at;
  }

  Outcome answer(std::uint64_t id, std::uint64_t lease) {
    const auto* k = find(id);
    if (!k) return Outcome::unknown;
    return k->lease == lease ? Outcome::done : Outcome::stale_lease;
  }

  void erase(std::uint64_t id) {
    std::erase_if(kept, [&](const Kept& k) { return k.message.id == id; });
  }

  std::vector<Kept> kept;
  std::size_t dead_count = 0;
};

void run(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t bound) { return random() % bound; };
  Channel channel({});
  Model model;
  TimePoint now{};
  std::uint64_t id_last = 0;
  std::size_t dead_count = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> leases{{1, 1}};
  for (int step = 0; step < 2'000; ++step) {
    now += std::chrono::seconds(below(3));
    model.pass_time(now);
    const auto [id, lease] = leases[below(leases.size())];
    switch (below(6)) {
      case 0:
      case 1: {
        Message m;
        m.id = ++id_last;
        m.priority = static_cast<std::int64_t>(below(3)) - 1;
        m.visibility = std::chrono::seconds(1 + below(9));
        m.deliveries_max = static_cast<std::uint32_t>(below(4));
        if (below(2) == 0) m.expires_at = now + std::chrono::seconds(1 + below(40));
        const Duration delay = std::chrono::seconds(below(4));
        ASSERT_EQ(channel.put(m, delay, now), Outcome::done);
        model.kept.push_back({m, now + delay, 0});
        break;
      }
      case 2: {
        const auto delivery = channel.take(now);
        auto* expected = model.first_ready(now);
        ASSERT_EQ(delivery.has_value(), expected != nullptr);
        if (!expected) break;
        ASSERT_EQ(delivery->message.id, expected->message.id);
        ASSERT_EQ(delivery->message.delivered, ++expected->message.delivered);
        expected->lease = delivery->lease;
        expected->shown_at = now + expected->message.visibility;
        leases.emplace_back(delivery->message.id, delivery->lease);
        break;
      }
      case 3: {
        const auto expected = model.answer(id, lease);
        ASSERT_EQ(channel.ack(id, lease, now), expected);
        if (expected == Outcome::done) model.erase(id);
        break;
      }
      case 4: {
        const auto expected = model.answer(id, lease);
        const Duration delay = std::chrono::seconds(below(4));
        ASSERT_EQ(channel.nack(id, lease, delay, now), expected);
        if (expected != Outcome::done) break;
        auto* k = model.find(id);
        k->lease = 0;
        k->shown_at = now + delay;
        model.pass_time(now);
        break;
      }
      default: {
        const auto expected = model.answer(id, lease);
        ASSERT_EQ(channel.touch(id, lease, now), expected);
        if (expected != Outcome::done) break;
        auto* k = model.find(id);
        k->shown_at = now + k->message.visibility;
      }
    }
    const auto stats = channel.stats(now);
    ASSERT_EQ(stats.ready + stats.hidden, model.kept.size());
    dead_count += channel.collect_dead(now).size();
    ASSERT_EQ(dead_count, model.dead_count);
  }
}

TEST(ChannelModelTest, AgreesWithAPlainListUnderRandomOperations) {
  const std::uint64_t first = std::random_device{}();
  for (auto seed = first; seed < first + 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    run(seed);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace rp::queue
