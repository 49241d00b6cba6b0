#include "session/taken_entries.h"

#include <algorithm>

#include "session/queue_slots.h"
#include "session/work_schedule.h"

extern "C" {
#include "access/xact.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
}

namespace pgsync::session {

namespace {

// An entry that could not be written now (someone has locked its row) is left alone for so long,
// and for longer each time, unless somebody waits for it.
constexpr int64 kLaterMs = 1000;

struct TakenEntry {
  int slot;
  EntryFate fate;
  int64 granted;
};
TakenEntry taken[kMaxBatch];
int taken_count = 0;

void settle(const TakenEntry& done) {
  QueueSlot& slot = queue_slots[done.slot];
  if (done.fate == EntryFate::kLater) {
    slot.state = SlotState::kReady;
    const int64 wait = slot.waiting != nullptr
                           ? kLaterMs
                           : std::min(kLaterMs << std::min(slot.postponed, 10), kLongestLaterMs);
    slot.postponed++;
    slot.not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait);
    if (is_question(slot.entry) && slot.waiting == nullptr) free_slot(slot);
  } else if (!is_question(slot.entry)) {
    free_slot(slot);
  } else if (slot.waiting != nullptr) {
    slot.state = SlotState::kAnswered;
    slot.granted = done.granted;
    SetLatch(slot.waiting);
  } else if (done.granted > 0 && slot.entry.kind == EntryKind::kReservation) {
    turn_into_return(slot, done.granted);
  } else {
    free_slot(slot);
  }
}

void at_writer_transaction_end(XactEvent event, void*) {
  if (taken_count == 0 || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT)) return;
  bool abandoned = false;
  LWLockAcquire(queue_lock(), LW_EXCLUSIVE);
  for (int i = 0; i < taken_count; i++) {
    if (event == XACT_EVENT_COMMIT) {
      const QueueSlot& slot = queue_slots[taken[i].slot];
      if (slot.entry.kind == EntryKind::kApproval && slot.waiting == nullptr) abandoned = true;
      settle(taken[i]);
      continue;
    }
    QueueSlot& slot = queue_slots[taken[i].slot];
    slot.state = SlotState::kReady;
    if (is_question(slot.entry) && slot.waiting == nullptr) free_slot(slot);
  }
  taken_count = 0;
  LWLockRelease(queue_lock());
  // Who has asked for it is gone, and has been looked after before it was there.
  if (abandoned) advance_due(MyDatabaseId, GetCurrentTimestamp());
}

}  // namespace

int TakeEntries() {
  return pg::Call([] {
    LWLockAcquire(queue_lock(), LW_EXCLUSIVE);
    const TimestampTz now = GetCurrentTimestamp();
    for (int i = 0; i < queue_slot_count; i++) {
      QueueSlot& slot = queue_slots[i];
      if (slot.state != SlotState::kReady || slot.database != MyDatabaseId || !is_due(slot, now)) {
        continue;
      }
      // Insertion into the oldest ones so far.
      int at = taken_count;
      while (at > 0 && queue_slots[taken[at - 1].slot].number > slot.number)
        at--;
      if (at == kMaxBatch) continue;
      const int last = std::min(taken_count, kMaxBatch - 1);
      for (int k = last; k > at; k--)
        taken[k] = taken[k - 1];
      taken[at] = {i, EntryFate::kLater, 0};
      taken_count = std::min(taken_count + 1, kMaxBatch);
    }
    for (int i = 0; i < taken_count; i++)
      queue_slots[taken[i].slot].state = SlotState::kTaken;
    LWLockRelease(queue_lock());
    return taken_count;
  });
}

QueueEntry GetTakenEntry(int index) {
  QueueEntry entry;
  pg::Call([&] {
    LWLockAcquire(queue_lock(), LW_SHARED);
    memcpy(&entry, &queue_slots[taken[index].slot].entry, sizeof(entry));
    LWLockRelease(queue_lock());
  });
  return entry;
}

void settle_entry(int index, EntryFate fate, int64 granted) noexcept {
  taken[index].fate = fate;
  taken[index].granted = granted;
}

void register_writer_callbacks() {
  RegisterXactCallback(at_writer_transaction_end, nullptr);
}

}  // namespace pgsync::session
