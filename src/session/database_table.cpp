#include "session/database_table.h"

#include <algorithm>

#include "session/job_table.h"
#include "session/launcher_state.h"
#include "session/peer_table.h"
#include "session/pending_changes.h"
#include "session/shared_memory.h"

extern "C" {
#include "access/xact.h"
#include "commands/dbcommands.h"
}

namespace pgsync::session {

namespace {

constexpr int kDatabases = 1024;

struct DatabaseSlot {
  Oid oid;  // InvalidOid: free
  int state;
  char name[NAMEDATALEN];  // empty: not known
};

DatabaseSlot* slots = nullptr;

PendingChanges<DatabaseState> pending;
char own_name[NAMEDATALEN];  // of the current database, while something is pending

LWLock* lock() {
  return LockOf(SharedTable::kDatabases);
}

// The slot of a database, or a free one made its; null where there is no room. Under the exclusive
// lock.
DatabaseSlot* place_of(Oid database) {
  DatabaseSlot* free = nullptr;
  for (int i = 0; i < kDatabases; i++) {
    if (slots[i].oid == database) return &slots[i];
    if (free == nullptr && !OidIsValid(slots[i].oid)) free = &slots[i];
  }
  if (free == nullptr) return nullptr;
  free->oid = database;
  free->state = static_cast<int>(DatabaseState::kUnknown);
  free->name[0] = '\0';
  return free;
}

void at_transaction_end(XactEvent event, void*) {
  if (pending.empty()) return;
  if (event == XACT_EVENT_PRE_PREPARE) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot PREPARE a transaction that has enabled or disabled sync")));
  }
  if (event == XACT_EVENT_COMMIT) {
    const DatabaseState state = *pending.last();
    note_database_state(MyDatabaseId, state, own_name);
    if (state != DatabaseState::kEnabled) terminate_database_peers(MyDatabaseId);
    if (state == DatabaseState::kNotInstalled) terminate_database_jobs(MyDatabaseId);
    wake_launcher();  // jobs may have waited for it
  }
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT) pending.clear();
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  pending.end_subtransaction(event);
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

bool AnyDatabaseEnabled() {
  if (!SharedMemoryAttached()) return false;
  return pg::Call([] {
    bool enabled = false;
    LWLockAcquire(lock(), LW_SHARED);
    for (int i = 0; i < kDatabases; i++) {
      if (slots[i].oid != InvalidOid && slots[i].state == static_cast<int>(DatabaseState::kEnabled))
        enabled = true;
    }
    LWLockRelease(lock());
    return enabled;
  });
}

void note_database_state(Oid database, DatabaseState state, const char* name) noexcept {
  if (!SharedMemoryAttached()) return;
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  if (DatabaseSlot* target = place_of(database)) {
    target->state = static_cast<int>(state);
    if (name != nullptr) strlcpy(target->name, name, sizeof(target->name));
  }
  LWLockRelease(lock());
}

void KeepDatabases(const std::vector<NamedDatabase>& existing) {
  for (int i = 0; i < kDatabases; i++) {
    const Oid oid = pg::Call([&] {
      LWLockAcquire(lock(), LW_SHARED);
      const Oid found = slots[i].oid;
      LWLockRelease(lock());
      return found;
    });
    const bool exists =
        std::any_of(existing.begin(), existing.end(),
                    [&](const NamedDatabase& database) { return database.oid == oid; });
    if (!OidIsValid(oid) || exists) continue;
    pg::Call([&] {
      LWLockAcquire(lock(), LW_EXCLUSIVE);
      if (slots[i].oid == oid) slots[i].oid = InvalidOid;
      LWLockRelease(lock());
    });
  }
  for (const NamedDatabase& database : existing)
    NoteDatabaseName(database.oid, database.name);
}

void NoteDatabaseName(Oid database, const std::string& name) {
  pg::Call([&] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    if (DatabaseSlot* slot = place_of(database)) {
      strlcpy(slot->name, name.c_str(), sizeof(slot->name));
    }
    LWLockRelease(lock());
  });
}

std::optional<Oid> FindDatabase(const std::string& name) {
  if (!SharedMemoryAttached() || name.empty()) return std::nullopt;
  const Oid database = pg::Call([&] {
    Oid found = InvalidOid;
    LWLockAcquire(lock(), LW_SHARED);
    for (int i = 0; i < kDatabases; i++) {
      if (OidIsValid(slots[i].oid) && strcmp(slots[i].name, name.c_str()) == 0) {
        found = slots[i].oid;
      }
    }
    LWLockRelease(lock());
    return found;
  });
  if (OidIsValid(database)) return database;
  ask_for_databases();
  return std::nullopt;
}

void PublishAtCommit(DatabaseState state) {
  const int level = pg::Call([] {
    const char* name = get_database_name(MyDatabaseId);
    strlcpy(own_name, name != nullptr ? name : "", sizeof(own_name));
    return GetCurrentTransactionNestLevel();
  });
  if (DatabaseState* const last = pending.last_of(level)) {
    *last = state;
    return;
  }
  if (pending.full()) {
    throw core::Error(core::sqlstate::kTooLarge,
                      "too many nested subtransactions change the module");
  }
  pending.add(level, state);
}

}  // namespace pgsync::session
