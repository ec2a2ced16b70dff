#pragma once

#include <cassert>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace rp::queue {

/// The first entries of an order that is kept in the store, held in memory.
///
/// Invariant: the window has all entries up to its border, or all there are when it is complete().
/// So the first of the window is the first of the order, and what lies behind the border costs no
/// memory until its turn comes. Whoever changes the store changes the window as well.
template <class Key>
class Window {
 public:
  using Map = std::map<Key, std::string>;

  /// Of an order without entries.
  Window() = default;
  /// Of an order about which nothing is known yet.
  static Window unknown() {
    Window window;
    window.complete_ = false;
    return window;
  }

  /// An entry that the store has or gets; kept if it lies before the border.
  void add(const Key& key, std::string value, std::size_t size_max) {
    if (!complete_ && (!border_ || *border_ < key)) return;
    held_.insert_or_assign(key, std::move(value));
    if (held_.size() <= size_max) return;
    while (held_.size() > size_max) held_.erase(std::prev(held_.end()));
    complete_ = false;
    border_ = held_.empty() ? std::nullopt : std::optional(held_.rbegin()->first);
    // Without a border nothing counts as held, so that a later refill begins at the front.
  }
  void erase(const Key& key) { held_.erase(key); }

  /// Nothing is held although the store may have something: refill() is due.
  bool is_short() const { return held_.empty() && !complete_; }
  /// Where a refill goes on: behind this key, or at the front.
  const std::optional<Key>& border() const { return border_; }
  /// The entries behind the border, up to and with `last`; `complete`: there are no more.
  void refill(Map entries, std::optional<Key> last, bool complete) {
    assert(is_short());
    held_ = std::move(entries);
    if (last) border_ = last;
    complete_ = complete;
  }

  const Map& held() const { return held_; }
  bool complete() const { return complete_; }

 private:
  Map held_;
  std::optional<Key> border_;  // meaningless when complete
  bool complete_ = true;
};

}  // namespace rp::queue
