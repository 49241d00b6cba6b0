// The slots of the writer's queue in shared memory: what the parts of the queue share.
#pragma once

#include "session/shared_memory.h"
#include "session/writer_queue.h"

struct Latch;

namespace pgsync::session {

/// See writer_queue.h for the way from one to the next.
enum class SlotState { kFree, kReady, kTaken, kAnswered };

/// The fields are under SharedTable::kWriterQueue.
struct QueueSlot {
  SlotState state;
  uint32 generation;  // counts the entries that were here
  uint64 number;      // the order in which they came
  Oid database;
  TimestampTz not_before;
  int postponed;   // how often it was
  Latch* waiting;  // in shared memory: of who waits for the answer; null: nobody, any more
  int64 granted;
  QueueEntry entry;
};
static_assert(std::is_trivially_copyable_v<QueueSlot>);

/// The slots of this server; none before shared memory is attached.
extern QueueSlot* queue_slots;
extern int queue_slot_count;

inline LWLock* queue_lock() {
  return LockOf(SharedTable::kWriterQueue);
}

/// An entry that was postponed waits for so long at the most.
inline constexpr int64 kLongestLaterMs = 30000;

/// Whether something can be written: there is a queue, and the server is no standby.
bool can_write();
/// Takes a slot for an entry that is ready; `waiting`: who waits for its answer, null: nobody.
/// Returns its index, -1 where there is no room. Under the exclusive lock.
int add_slot(Oid database, const QueueEntry& entry, Latch* waiting);
/// Under the exclusive lock.
void free_slot(QueueSlot& slot);
/// How many are not free. Under the lock.
int queue_slots_in_use();
/// Whether an entry that is ready may be taken.
bool is_due(const QueueSlot& slot, TimestampTz now);
/// Whether somebody waits, or has waited, for an answer to it.
inline bool is_question(const QueueEntry& entry) {
  return entry.kind == EntryKind::kReservation || entry.kind == EntryKind::kApproval;
}
/// Makes a reservation of so many records that nobody wants any more one that is to be returned.
/// Under the exclusive lock.
void turn_into_return(QueueSlot& slot, int64 count);

Size WriterQueueSize();
void init_writer_queue(void* memory, bool found);

}  // namespace pgsync::session
