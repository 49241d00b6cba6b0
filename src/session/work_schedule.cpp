#include "session/work_schedule.h"

#include <algorithm>

#include "session/launcher_state.h"
#include "session/pending_changes.h"
#include "session/shared_memory.h"

extern "C" {
#include "access/xact.h"
#include "utils/timestamp.h"
}

namespace pgsync::session {

namespace {

constexpr int kDatabases = 1024;

struct WorkSlot {
  Oid database;  // InvalidOid: free
  TimestampTz due_at;
  uint64 version;  // counts who has made work due, or has looked
  uint64 looked;   // counts who has looked
};
static_assert(std::is_trivially_copyable_v<WorkSlot>);

WorkSlot* slots = nullptr;

PendingChanges<TimestampTz> pending;  // when work is due

LWLock* lock() {
  return LockOf(SharedTable::kWorkSchedule);
}

TimestampTz earlier(TimestampTz a, TimestampTz b) {
  if (a == 0 || b == 0) return a == 0 ? b : a;
  return std::min(a, b);
}

// Under the lock.
WorkSlot* slot_of(Oid database) {
  for (int i = 0; i < kDatabases; i++) {
    if (slots[i].database == database) return &slots[i];
  }
  return nullptr;
}

// Under the exclusive lock. Null: more databases than there is room for; a probe finds their work.
WorkSlot* place_of(Oid database) {
  WorkSlot* slot = slot_of(database);
  if (slot != nullptr) return slot;
  slot = slot_of(InvalidOid);
  if (slot != nullptr) *slot = {database, 0, 0, 0};
  return slot;
}

void at_transaction_end(XactEvent event, void*) {
  if (pending.empty()) return;
  // Nobody would be told at COMMIT PREPARED.
  if (event == XACT_EVENT_PRE_PREPARE) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot PREPARE a transaction that has made work for sync")));
  }
  if (event == XACT_EVENT_COMMIT) {
    TimestampTz due_at = 0;
    for (int i = 0; i < pending.count(); i++)
      due_at = earlier(due_at, pending.at(i));
    advance_due(MyDatabaseId, due_at);
  }
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT) pending.clear();
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  pending.end_subtransaction(event);
}

}  // namespace

Size WorkScheduleSize() {
  return mul_size(sizeof(WorkSlot), kDatabases);
}

void init_work_schedule(void* memory, bool found) {
  slots = static_cast<WorkSlot*>(memory);
  if (!found) memset(memory, 0, WorkScheduleSize());
}

void register_schedule_callbacks() {
  RegisterXactCallback(at_transaction_end, nullptr);
  RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

void publish_due_at_commit(int64 due_at) noexcept {
  const int level = GetCurrentTransactionNestLevel();
  // The levels merge as subtransactions are released; so deep a nesting publishes too much, if it
  // rolls back: a worker then finds nothing to do.
  TimestampTz* const last = pending.full() ? pending.last() : pending.last_of(level);
  if (last != nullptr) {
    *last = earlier(*last, due_at);
  } else {
    pending.add(level, due_at);
  }
}

void advance_due(Oid database, int64 due_at) noexcept {
  if (!SharedMemoryAttached()) return;
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  if (WorkSlot* slot = place_of(database)) {
    slot->due_at = earlier(slot->due_at, due_at);
    slot->version++;
  }
  LWLockRelease(lock());
  wake_launcher();
}

uint64 WorkVersion(Oid database) {
  return pg::Call([&] {
    LWLockAcquire(lock(), LW_SHARED);
    const WorkSlot* slot = slot_of(database);
    const uint64 version = slot != nullptr ? slot->version : 0;
    LWLockRelease(lock());
    return version;
  });
}

void note_due(Oid database, int64 due_at, uint64 version) noexcept {
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  if (WorkSlot* slot = place_of(database)) {
    slot->due_at = slot->version == version ? due_at : earlier(slot->due_at, due_at);
    slot->version++;
    slot->looked++;
  }
  LWLockRelease(lock());
  wake_launcher();
}

std::vector<DueDatabase> ListDueDatabases() {
  std::vector<DueDatabase> due(kDatabases);
  const int count = pg::Call([&] {
    int found = 0;
    LWLockAcquire(lock(), LW_SHARED);
    for (int i = 0; i < kDatabases; i++) {
      if (!OidIsValid(slots[i].database) || slots[i].due_at == 0) continue;
      due[found++] = {slots[i].database, slots[i].due_at};
    }
    LWLockRelease(lock());
    return found;
  });
  due.resize(count);
  std::sort(due.begin(), due.end(),
            [](const DueDatabase& a, const DueDatabase& b) { return a.due_at < b.due_at; });
  return due;
}

uint64 TakeDue(Oid database) {
  return pg::Call([&] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    WorkSlot* slot = slot_of(database);
    if (slot != nullptr) slot->due_at = 0;
    const uint64 looked = slot != nullptr ? slot->looked : 0;
    LWLockRelease(lock());
    return looked;
  });
}

uint64 TimesLooked(Oid database) {
  return pg::Call([&] {
    LWLockAcquire(lock(), LW_SHARED);
    const WorkSlot* slot = slot_of(database);
    const uint64 looked = slot != nullptr ? slot->looked : 0;
    LWLockRelease(lock());
    return looked;
  });
}

void ForgetDue(Oid database) {
  pg::Call([&] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    if (WorkSlot* slot = slot_of(database)) slot->database = InvalidOid;
    LWLockRelease(lock());
  });
}

}  // namespace pgsync::session
