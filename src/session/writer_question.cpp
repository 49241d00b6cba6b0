#include "session/writer_question.h"

#include "core/waiter.h"
#include "session/launcher_state.h"
#include "session/queue_slots.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
}

namespace pgsync::session {

namespace {

constexpr int64 kNoConnection = -1;

// The reservation of this process: it does one thing at a time.
int my_slot = -1;
uint32 my_generation = 0;
bool exit_registered = false;

bool still_mine() {
  return my_slot >= 0 && queue_slots[my_slot].generation == my_generation;
}

// Stops waiting. What is being written now goes back as soon as it is known how much it is.
void forget_reservation() noexcept {
  if (my_slot < 0) return;
  bool wake = false;
  LWLockAcquire(queue_lock(), LW_EXCLUSIVE);
  if (still_mine()) {
    QueueSlot& slot = queue_slots[my_slot];
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
  LWLockRelease(queue_lock());
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
      LWLockAcquire(queue_lock(), LW_EXCLUSIVE);
      my_slot = add_slot(MyDatabaseId, entry, MyLatch);
      if (my_slot >= 0) my_generation = queue_slots[my_slot].generation;
      LWLockRelease(queue_lock());
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
      LWLockAcquire(queue_lock(), LW_EXCLUSIVE);
      // Dropped with the database's other entries.
      if (!still_mine()) {
        *granted = kNoConnection;
        there = true;
      } else if (queue_slots[my_slot].state == SlotState::kAnswered) {
        *granted = queue_slots[my_slot].granted;
        free_slot(queue_slots[my_slot]);
        there = true;
      }
      if (there) my_slot = -1;
      LWLockRelease(queue_lock());
      return there;
    });
  }
};

}  // namespace

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

}  // namespace pgsync::session
