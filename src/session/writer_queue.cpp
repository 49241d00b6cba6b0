#include "session/writer_queue.h"

#include <algorithm>

#include "core/waiter.h"
#include "pg/settings.h"
#include "session/launcher_state.h"
#include "session/shared_memory.h"

extern "C" {
#include "access/xact.h"
#include "access/xlog.h"
#include "mb/pg_wchar.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace pgsync::session {

namespace {

// An entry that could not be written now (someone has locked its row) is left alone for so long,
// and for longer each time, unless somebody waits for it.
constexpr int64 kLaterMs = 1000;
constexpr int64 kLongestLaterMs = 30000;
constexpr int64 kNoConnection = -1;

enum class SlotState { kFree, kReady, kTaken, kAnswered };

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

struct QueueHeader {
  uint64 last_number;
  int in_use;
};

QueueHeader* header = nullptr;
QueueSlot* slots = nullptr;
int slot_count = 0;

LWLock* lock() {
  return LockOf(SharedTable::kWriterQueue);
}

void free_slot(QueueSlot& slot) {
  slot.state = SlotState::kFree;
  slot.waiting = nullptr;
  slot.generation++;
  header->in_use--;
}

// A new entry waits with those of its connection that were postponed: the row is locked, and the
// order is kept. Under the exclusive lock.
void queue_behind(QueueSlot& slot, const char* connection) {
  for (int i = 0; i < slot_count && connection[0] != '\0'; i++) {
    const QueueSlot& other = slots[i];
    if (other.state == SlotState::kReady && other.postponed > slot.postponed &&
        other.database == slot.database && strcmp(other.entry.connection, connection) == 0) {
      slot.not_before = other.not_before;
      slot.postponed = other.postponed;
    }
  }
}

// Under the exclusive lock. -1: no room.
int add_slot(Oid database, const QueueEntry& entry, Latch* waiting) {
  if (header->in_use >= slot_count) return -1;
  for (int i = 0; i < slot_count; i++) {
    // The place that comes next is most often free.
    const int at = static_cast<int>((header->last_number + i) % slot_count);
    QueueSlot& slot = slots[at];
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

// Further ahead it can only be if the clock was set back.
bool is_due(const QueueSlot& slot, TimestampTz now) {
  return slot.not_before <= now ||
         slot.not_before > TimestampTzPlusMilliseconds(now, kLongestLaterMs);
}

bool can_write() {
  return SharedMemoryAttached() && !RecoveryInProgress();
}

// ---- who waits for an answer -------------------------------------------------------------------

// The reservation of this process: it does one thing at a time.
int my_slot = -1;
uint32 my_generation = 0;
bool exit_registered = false;

bool still_mine() {
  return my_slot >= 0 && slots[my_slot].generation == my_generation;
}

// Whether somebody waits for an answer to it.
bool is_question(const QueueEntry& entry) {
  return entry.kind == EntryKind::kReservation || entry.kind == EntryKind::kApproval;
}

// Makes a reservation that nobody wants any more one that is to be returned.
void turn_into_return(QueueSlot& slot, int64 count) {
  slot.entry.kind = EntryKind::kReturn;
  slot.entry.rows = count;
  slot.state = SlotState::kReady;
  slot.waiting = nullptr;
  slot.postponed = 0;
  slot.not_before = GetCurrentTimestamp();
}

// Stops waiting. What is being written now goes back as soon as it is known how much it is.
void forget_reservation() noexcept {
  if (my_slot < 0) return;
  bool wake = false;
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  if (still_mine()) {
    QueueSlot& slot = slots[my_slot];
    slot.waiting = nullptr;
    if (slot.state == SlotState::kReady) {
      free_slot(slot);
    } else if (slot.state == SlotState::kAnswered && slot.granted > 0 &&
               slot.entry.kind == EntryKind::kReservation) {
      turn_into_return(slot, slot.granted);
      wake = true;
    } else if (slot.state == SlotState::kAnswered) {
      free_slot(slot);
    }
  }
  my_slot = -1;
  LWLockRelease(lock());
  if (wake) wake_launcher();
}

void leave_queue(int, Datum) {
  forget_reservation();
}

class Question {
 public:
  explicit Question(const QueueEntry& entry) {
    const bool queued = pg::Call([&] {
      if (!exit_registered) before_shmem_exit(leave_queue, (Datum)0);
      exit_registered = true;
      LWLockAcquire(lock(), LW_EXCLUSIVE);
      my_slot = add_slot(MyDatabaseId, entry, MyLatch);
      if (my_slot >= 0) my_generation = slots[my_slot].generation;
      LWLockRelease(lock());
      if (my_slot >= 0) wake_launcher();
      return my_slot >= 0;
    });
    if (queued) return;
    throw core::Error(core::sqlstate::kTooManyConnections, "queue of sync is full")
        .WithHint("Try again later, or raise sync.queue_size there.");
  }
  ~Question() { forget_reservation(); }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  /// Whether the answer is there; then it is taken.
  bool Take(int64* granted) {
    return pg::Call([&] {
      bool there = false;
      LWLockAcquire(lock(), LW_EXCLUSIVE);
      // Dropped with the database's other entries.
      if (!still_mine()) {
        *granted = kNoConnection;
        there = true;
      } else if (slots[my_slot].state == SlotState::kAnswered) {
        *granted = slots[my_slot].granted;
        free_slot(slots[my_slot]);
        there = true;
      }
      if (there) my_slot = -1;
      LWLockRelease(lock());
      return there;
    });
  }
};

// ---- the writer --------------------------------------------------------------------------------

struct TakenEntry {
  int slot;
  EntryFate fate;
  int64 granted;
};
TakenEntry taken[kMaxBatch];
int taken_count = 0;

void settle(const TakenEntry& done) {
  QueueSlot& slot = slots[done.slot];
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
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  for (int i = 0; i < taken_count; i++) {
    if (event == XACT_EVENT_COMMIT) {
      settle(taken[i]);
      continue;
    }
    QueueSlot& slot = slots[taken[i].slot];
    slot.state = SlotState::kReady;
    if (is_question(slot.entry) && slot.waiting == nullptr) free_slot(slot);
  }
  taken_count = 0;
  LWLockRelease(lock());
}

}  // namespace

Size WriterQueueSize() {
  return add_size(MAXALIGN(sizeof(QueueHeader)),
                  mul_size(sizeof(QueueSlot), pg::settings::queue_size));
}

void init_writer_queue(void* memory, bool found) {
  header = static_cast<QueueHeader*>(memory);
  slots = reinterpret_cast<QueueSlot*>(static_cast<char*>(memory) + MAXALIGN(sizeof(QueueHeader)));
  slot_count = pg::settings::queue_size;
  if (!found) memset(memory, 0, WriterQueueSize());
}

void put_text(char* field, size_t size, const char* text) noexcept {
  const auto length = static_cast<int>(std::min(strlen(text), size * 2));
  const int kept = pg_mbcliplen(text, length, static_cast<int>(size) - 1);
  memcpy(field, text, kept);
  field[kept] = '\0';
}

bool enqueue(const QueueEntry& entry) noexcept {
  if (!can_write()) return false;
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  const int slot = add_slot(MyDatabaseId, entry, nullptr);
  LWLockRelease(lock());
  if (slot < 0) return false;
  wake_launcher();
  return true;
}

int64 AskWriter(const QueueEntry& entry, std::chrono::milliseconds patience) {
  if (!pg::Call([] { return can_write(); })) {
    throw core::Error(core::sqlstate::kTooManyConnections, "sync cannot write now")
        .WithDetail("The server takes no writes, or sync is not preloaded.");
  }
  Question question(entry);
  const auto until = core::Clock::now() + patience;
  int64 answer = 0;
  while (!question.Take(&answer)) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - core::Clock::now()).count();
    if (left <= 0) {
      throw core::Error(core::sqlstate::kTooManyConnections, "sync could not write in time")
          .WithHint("Try again later; the server log may tell why.");
    }
    pg::Call([&] {
      (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                      static_cast<long>(left), PG_WAIT_EXTENSION);
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    });
  }
  return answer;
}

int64 ReserveRecords(const std::string& connection, int64 wanted,
                     std::chrono::milliseconds patience) {
  QueueEntry entry = {};
  entry.kind = EntryKind::kReservation;
  put_text(entry.connection, connection.c_str());
  entry.rows = wanted;
  entry.ended_at = pg::Call([] { return GetCurrentTimestamp(); });
  const int64 granted = AskWriter(entry, patience);
  if (granted >= 0) return granted;
  throw core::Error(core::sqlstate::kNotFound, "connection does not exist any more");
}

bool return_records(const char* connection, int64 count) noexcept {
  if (count <= 0) return true;
  QueueEntry entry;
  memset(&entry, 0, sizeof(entry));
  entry.kind = EntryKind::kReturn;
  put_text(entry.connection, connection);
  entry.rows = count;
  return enqueue(entry);
}

bool IsQueued(const std::string& transfer) {
  if (!SharedMemoryAttached()) return false;
  return pg::Call([&] {
    bool queued = false;
    LWLockAcquire(lock(), LW_SHARED);
    for (int i = 0; i < slot_count && !queued; i++) {
      queued = slots[i].state != SlotState::kFree && slots[i].database == MyDatabaseId &&
               strcmp(slots[i].entry.transfer, transfer.c_str()) == 0;
    }
    LWLockRelease(lock());
    return queued;
  });
}

std::vector<WaitingEntries> ListWaitingEntries() {
  constexpr int kMaxListed = 64;  // further databases have their turn when these are done
  struct Found {
    Oid database;
    uint64 oldest;
    TimestampTz due_at;
  };
  Found found[kMaxListed];
  int count = 0;
  const TimestampTz now = pg::Call([] { return GetCurrentTimestamp(); });
  pg::Call([&] {
    LWLockAcquire(lock(), LW_SHARED);
    for (int i = 0; i < slot_count && header->in_use > 0; i++) {
      const QueueSlot& slot = slots[i];
      if (slot.state != SlotState::kReady) continue;
      int at = 0;
      while (at < count && found[at].database != slot.database)
        at++;
      if (at == kMaxListed) continue;
      const bool due = is_due(slot, now);
      const TimestampTz due_at = due ? now : slot.not_before;
      if (at == count) {
        found[count++] = {slot.database, 0, due_at};
      }
      Found& entry = found[at];
      entry.due_at = std::min(entry.due_at, due_at);
      if (due && (entry.oldest == 0 || slot.number < entry.oldest)) {
        entry.oldest = slot.number;
      }
    }
    LWLockRelease(lock());
  });
  std::vector<WaitingEntries> waiting;
  for (int i = 0; i < count; i++) {
    const int64 wait = std::max<int64>(0, (found[i].due_at - now + 999) / 1000);
    waiting.push_back({found[i].database, found[i].oldest, std::chrono::milliseconds(wait)});
  }
  return waiting;
}

void DropEntries(Oid database) {
  pg::Call([&] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    for (int i = 0; i < slot_count; i++) {
      QueueSlot& slot = slots[i];
      if (slot.state != SlotState::kReady || slot.database != database) continue;
      if (slot.waiting != nullptr) SetLatch(slot.waiting);
      free_slot(slot);
    }
    LWLockRelease(lock());
  });
}

int TakeEntries() {
  return pg::Call([] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    const TimestampTz now = GetCurrentTimestamp();
    for (int i = 0; i < slot_count; i++) {
      QueueSlot& slot = slots[i];
      if (slot.state != SlotState::kReady || slot.database != MyDatabaseId || !is_due(slot, now)) {
        continue;
      }
      // Insertion into the oldest ones so far.
      int at = taken_count;
      while (at > 0 && slots[taken[at - 1].slot].number > slot.number)
        at--;
      if (at == kMaxBatch) continue;
      const int last = std::min(taken_count, kMaxBatch - 1);
      for (int k = last; k > at; k--)
        taken[k] = taken[k - 1];
      taken[at] = {i, EntryFate::kLater, 0};
      taken_count = std::min(taken_count + 1, kMaxBatch);
    }
    for (int i = 0; i < taken_count; i++)
      slots[taken[i].slot].state = SlotState::kTaken;
    LWLockRelease(lock());
    return taken_count;
  });
}

QueueEntry GetTakenEntry(int index) {
  QueueEntry entry;
  pg::Call([&] {
    LWLockAcquire(lock(), LW_SHARED);
    memcpy(&entry, &slots[taken[index].slot].entry, sizeof(entry));
    LWLockRelease(lock());
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
