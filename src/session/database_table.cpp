#include "session/database_table.h"

#include <algorithm>

#include "session/peer_table.h"
#include "session/shared_memory.h"

extern "C" {
#include "access/xact.h"
}

namespace pgsync::session {

namespace {

constexpr int kDatabases = 1024;

struct DatabaseSlot {
  Oid oid;  // InvalidOid: free
  int state;
};

DatabaseSlot* slots = nullptr;

// What this transaction is going to publish. A subtransaction that rolls back takes its own change
// with it: the changes are kept with the nesting level that made them.
struct PendingState {
  int level;
  DatabaseState state;
};
constexpr int kMaxPending = 16;
PendingState pending[kMaxPending];
int pending_count = 0;

LWLock* lock() {
  return LockOf(SharedTable::kDatabases);
}

void at_transaction_end(XactEvent event, void*) {
  if (pending_count == 0) return;
  if (event == XACT_EVENT_COMMIT) {
    const DatabaseState state = pending[pending_count - 1].state;
    note_database_state(MyDatabaseId, state);
    if (state != DatabaseState::kEnabled) terminate_database_peers(MyDatabaseId);
  }
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT) pending_count = 0;
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  const int level = GetCurrentTransactionNestLevel();
  if (event == SUBXACT_EVENT_ABORT_SUB) {
    while (pending_count > 0 && pending[pending_count - 1].level >= level)
      pending_count--;
  } else if (event == SUBXACT_EVENT_COMMIT_SUB) {
    for (int i = 0; i < pending_count; i++)
      pending[i].level = std::min(pending[i].level, level - 1);
  }
}

}  // namespace

Size DatabaseTableSize() {
  return mul_size(sizeof(DatabaseSlot), kDatabases);
}

void init_database_table(void* memory, bool found) {
  slots = static_cast<DatabaseSlot*>(memory);
  if (!found) memset(memory, 0, DatabaseTableSize());
}

void register_database_callbacks() {
  RegisterXactCallback(at_transaction_end, nullptr);
  RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

DatabaseState GetDatabaseState(Oid database) {
  if (!SharedMemoryAttached()) return DatabaseState::kUnknown;
  return pg::Call([&] {
    DatabaseState state = DatabaseState::kUnknown;
    LWLockAcquire(lock(), LW_SHARED);
    for (int i = 0; i < kDatabases; i++) {
      if (slots[i].oid == database) state = static_cast<DatabaseState>(slots[i].state);
    }
    LWLockRelease(lock());
    return state;
  });
}

void note_database_state(Oid database, DatabaseState state) noexcept {
  if (!SharedMemoryAttached()) return;
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  DatabaseSlot* target = nullptr;
  for (int i = 0; i < kDatabases; i++) {
    if (slots[i].oid == database) {
      target = &slots[i];
      break;
    }
    if (target == nullptr && slots[i].oid == InvalidOid) target = &slots[i];
  }
  if (target != nullptr) {
    target->oid = database;
    target->state = static_cast<int>(state);
  }
  LWLockRelease(lock());
}

void KeepDatabases(const std::vector<Oid>& existing) {
  for (int i = 0; i < kDatabases; i++) {
    const Oid oid = pg::Call([&] {
      LWLockAcquire(lock(), LW_SHARED);
      const Oid found = slots[i].oid;
      LWLockRelease(lock());
      return found;
    });
    if (!OidIsValid(oid) || std::find(existing.begin(), existing.end(), oid) != existing.end()) {
      continue;
    }
    pg::Call([&] {
      LWLockAcquire(lock(), LW_EXCLUSIVE);
      if (slots[i].oid == oid) slots[i].oid = InvalidOid;
      LWLockRelease(lock());
    });
  }
}

void PublishAtCommit(DatabaseState state) {
  const int level = pg::Call([] { return GetCurrentTransactionNestLevel(); });
  if (pending_count > 0 && pending[pending_count - 1].level == level) pending_count--;
  if (pending_count == kMaxPending) {
    throw core::Error(core::sqlstate::kTooLarge,
                      "too many nested subtransactions change the module");
  }
  pending[pending_count++] = {level, state};
}

}  // namespace pgsync::session
