#include "session/queue_slots.h"

#include "pg/settings.h"

extern "C" {
#include "access/xlog.h"
#include "utils/timestamp.h"
}

namespace pgsync::session {

QueueSlot* queue_slots = nullptr;
int queue_slot_count = 0;

namespace {

struct QueueHeader {
  uint64 last_number;
  int in_use;
};

QueueHeader* header = nullptr;

// A new entry waits with those of its connection that were postponed: the row is locked, and the
// order is kept. Under the exclusive lock.
void queue_behind(QueueSlot& slot, const char* connection) {
  for (int i = 0; i < queue_slot_count && connection[0] != '\0'; i++) {
    const QueueSlot& other = queue_slots[i];
    if (other.state == SlotState::kReady && other.postponed > slot.postponed &&
        other.database == slot.database && strcmp(other.entry.connection, connection) == 0) {
      slot.not_before = other.not_before;
      slot.postponed = other.postponed;
    }
  }
}

}  // namespace

bool can_write() {
  return SharedMemoryAttached() && !RecoveryInProgress();
}

int add_slot(Oid database, const QueueEntry& entry, Latch* waiting) {
  if (header->in_use >= queue_slot_count) return -1;
  for (int i = 0; i < queue_slot_count; i++) {
    // The place that comes next is most often free.
    const int at = static_cast<int>((header->last_number + i) % queue_slot_count);
    QueueSlot& slot = queue_slots[at];
    if (slot.state != SlotState::kFree) continue;
    slot.state = SlotState::kReady;
    slot.number = ++header->last_number;
    slot.database = database;
    slot.not_before = GetCurrentTimestamp();
    slot.postponed = 0;
    if (waiting == nullptr) queue_behind(slot, entry.connection);
    slot.waiting = waiting;
    slot.granted = 0;
    memcpy(&slot.entry, &entry, sizeof(entry));
    header->in_use++;
    return at;
  }
  return -1;
}

void free_slot(QueueSlot& slot) {
  slot.state = SlotState::kFree;
  slot.waiting = nullptr;
  slot.generation++;
  header->in_use--;
}

int queue_slots_in_use() {
  return header->in_use;
}

// Further ahead it can only be if the clock was set back.
bool is_due(const QueueSlot& slot, TimestampTz now) {
  return slot.not_before <= now ||
         slot.not_before > TimestampTzPlusMilliseconds(now, kLongestLaterMs);
}

void turn_into_return(QueueSlot& slot, int64 count) {
  slot.entry.kind = EntryKind::kReturn;
  slot.entry.rows = count;
  slot.state = SlotState::kReady;
  slot.waiting = nullptr;
  slot.postponed = 0;
  slot.not_before = GetCurrentTimestamp();
}

Size WriterQueueSize() {
  return add_size(MAXALIGN(sizeof(QueueHeader)),
                  mul_size(sizeof(QueueSlot), pg::settings::queue_size));
}

void init_writer_queue(void* memory, bool found) {
  header = static_cast<QueueHeader*>(memory);
  queue_slots =
      reinterpret_cast<QueueSlot*>(static_cast<char*>(memory) + MAXALIGN(sizeof(QueueHeader)));
  queue_slot_count = pg::settings::queue_size;
  if (!found) memset(memory, 0, WriterQueueSize());
}

}  // namespace pgsync::session
