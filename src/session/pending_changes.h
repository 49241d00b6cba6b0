// What the current transaction is going to publish at its end, with the nesting level that made it:
// a subtransaction that rolls back takes its own changes with it.
#pragma once

#include <algorithm>
#include <type_traits>

#include "pg/server.h"

extern "C" {
#include "access/xact.h"
}

namespace pgsync::session {

/// Plain data, in the order in which it came, and so of its levels: callbacks of a transaction that
/// ends allocate nothing.
template <typename Change>
class PendingChanges {
 public:
  static_assert(std::is_trivially_copyable_v<Change>);

  bool empty() const noexcept { return count_ == 0; }
  bool full() const noexcept { return count_ == kMost; }
  /// How many, and each of them.
  int count() const noexcept { return count_; }
  const Change& at(int i) const noexcept { return entries_[i].change; }

  /// The last one, if it is of that level; null: it is not.
  Change* last_of(int level) noexcept {
    return count_ > 0 && entries_[count_ - 1].level == level ? last() : nullptr;
  }
  /// Not where there is none.
  Change* last() noexcept { return &entries_[count_ - 1].change; }
  /// Not where it is full.
  void add(int level, const Change& change) noexcept { entries_[count_++] = {level, change}; }
  void clear() noexcept { count_ = 0; }

  /// To be called by a SubXactCallback.
  void end_subtransaction(SubXactEvent event) noexcept {
    const int level = GetCurrentTransactionNestLevel();
    if (event == SUBXACT_EVENT_ABORT_SUB) {
      while (count_ > 0 && entries_[count_ - 1].level >= level)
        count_--;
    } else if (event == SUBXACT_EVENT_COMMIT_SUB) {
      for (int i = 0; i < count_; i++)
        entries_[i].level = std::min(entries_[i].level, level - 1);
    }
  }

 private:
  static constexpr int kMost = 16;
  struct Entry {
    int level;
    Change change;
  };
  Entry entries_[kMost] = {};
  int count_ = 0;
};

}  // namespace pgsync::session
