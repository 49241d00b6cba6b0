#include "session/writer_queue.h"

#include <algorithm>

#include "session/launcher_state.h"
#include "session/queue_slots.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
}

namespace pgsync::session {

void put_text(char* field, size_t size, const char* text) noexcept {
  const auto length = static_cast<int>(std::min(strlen(text), size * 2));
  const int kept = pg_mbcliplen(text, length, static_cast<int>(size) - 1);
  memcpy(field, text, kept);
  field[kept] = '\0';
}

bool enqueue(const QueueEntry& entry) noexcept {
  if (!can_write()) return false;
  LWLockAcquire(queue_lock(), LW_EXCLUSIVE);
  const int slot = add_slot(MyDatabaseId, entry, nullptr);
  LWLockRelease(queue_lock());
  if (slot < 0) return false;
  wake_launcher();
  return true;
}

bool IsQueued(const std::string& transfer) {
  if (!SharedMemoryAttached()) return false;
  return pg::Call([&] {
    bool queued = false;
    LWLockAcquire(queue_lock(), LW_SHARED);
    for (int i = 0; i < queue_slot_count && !queued; i++) {
      queued = queue_slots[i].state != SlotState::kFree &&
               queue_slots[i].database == MyDatabaseId &&
               strcmp(queue_slots[i].entry.transfer, transfer.c_str()) == 0;
    }
    LWLockRelease(queue_lock());
    return queued;
  });
}

std::vector<WaitingEntries> ListWaitingEntries() {
  constexpr int kMaxListed = 64;  // further databases have their turn when these are done
  struct Found {
    Oid database;
    uint64 oldest;
    int postponed;
    TimestampTz due_at;
  };
  Found found[kMaxListed];
  int count = 0;
  const TimestampTz now = pg::Call([] { return GetCurrentTimestamp(); });
  pg::Call([&] {
    LWLockAcquire(queue_lock(), LW_SHARED);
    for (int i = 0; i < queue_slot_count && queue_slots_in_use() > 0; i++) {
      const QueueSlot& slot = queue_slots[i];
      if (slot.state != SlotState::kReady) continue;
      int at = 0;
      while (at < count && found[at].database != slot.database)
        at++;
      if (at == kMaxListed) continue;
      const bool due = is_due(slot, now);
      const TimestampTz due_at = due ? now : slot.not_before;
      if (at == count) {
        found[count++] = {slot.database, 0, 0, due_at};
      }
      Found& entry = found[at];
      entry.due_at = std::min(entry.due_at, due_at);
      if (due && (entry.oldest == 0 || slot.number < entry.oldest)) {
        entry.oldest = slot.number;
        entry.postponed = slot.postponed;
      }
    }
    LWLockRelease(queue_lock());
  });
  std::vector<WaitingEntries> waiting;
  for (int i = 0; i < count; i++) {
    const int64 wait = std::max<int64>(0, (found[i].due_at - now + 999) / 1000);
    waiting.push_back(
        {found[i].database, found[i].oldest, found[i].postponed, std::chrono::milliseconds(wait)});
  }
  return waiting;
}

void DropEntries(Oid database) {
  pg::Call([&] {
    LWLockAcquire(queue_lock(), LW_EXCLUSIVE);
    for (int i = 0; i < queue_slot_count; i++) {
      QueueSlot& slot = queue_slots[i];
      if (slot.state != SlotState::kReady || slot.database != database) continue;
      if (slot.waiting != nullptr) SetLatch(slot.waiting);
      free_slot(slot);
    }
    LWLockRelease(queue_lock());
  });
}

}  // namespace pgsync::session
