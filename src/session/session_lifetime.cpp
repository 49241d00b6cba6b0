#include "session/session_lifetime.h"

#include <algorithm>

#include "session/launcher_state.h"
#include "session/peer_table.h"
#include "session/session_slots.h"

extern "C" {
#include "access/xact.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/timestamp.h"
}

namespace pgsync::session {

namespace {

// How often the launcher looks after owners that it cannot be told of.
constexpr long kOwnerCheckMs = 1000;

// Sessions that the current transaction has made. Their fate hangs on the nesting level that made
// them. TopMemoryContext: an aborted transaction's memory may be gone when this is read.
struct MadeSession {
  SessionId id;
  int level;
};
MadeSession* made = nullptr;
int made_count = 0;
int made_capacity = 0;
bool exit_registered = false;

bool owner_alive(const SessionSlot& slot) {
  if (slot.owner_pid == 0) return true;
  const PGPROC* proc = BackendPidGetProc(slot.owner_pid);
  return proc != nullptr && proc->pgprocno == slot.owner_procno;
}

void at_transaction_end(XactEvent event, void*) {
  if (made_count == 0) return;
  if (event == XACT_EVENT_PRE_PREPARE) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot PREPARE a transaction that has made a session")));
  }
  if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT) return;
  LWLockAcquire(session_lock(), LW_EXCLUSIVE);
  for (int i = 0; i < made_count; i++) {
    SessionSlot* slot = slot_of(made[i].id);
    if (slot == nullptr) continue;
    if (event == XACT_EVENT_ABORT) {
      free_slot(*slot);
    } else if (slot->status == static_cast<int>(SessionStatus::kUncommitted)) {
      slot->status = static_cast<int>(SessionStatus::kPending);
    }
  }
  LWLockRelease(session_lock());
  made_count = 0;
  wake_launcher();  // it may have to look after their time
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  if (made_count == 0) return;
  const int level = GetCurrentTransactionNestLevel();
  if (event == SUBXACT_EVENT_COMMIT_SUB) {
    for (int i = 0; i < made_count; i++)
      made[i].level = std::min(made[i].level, level - 1);
  } else if (event == SUBXACT_EVENT_ABORT_SUB) {
    int kept = 0;
    LWLockAcquire(session_lock(), LW_EXCLUSIVE);
    for (int i = 0; i < made_count; i++) {
      if (made[i].level < level) {
        made[kept++] = made[i];
      } else if (SessionSlot* slot = slot_of(made[i].id)) {
        free_slot(*slot);
      }
    }
    LWLockRelease(session_lock());
    made_count = kept;
  }
}

void leave_sessions(int, Datum) {
  delete_backend_sessions();
}

}  // namespace

void reserve_made_session() {
  if (!exit_registered) before_shmem_exit(leave_sessions, (Datum)0);
  exit_registered = true;
  if (made_count < made_capacity) return;
  const int capacity = std::max(8, made_capacity * 2);
  const Size size = sizeof(MadeSession) * capacity;
  made = static_cast<MadeSession*>(made == nullptr ? MemoryContextAlloc(TopMemoryContext, size)
                                                   : repalloc(made, size));
  made_capacity = capacity;
}

void note_made_session(const SessionId& id) noexcept {
  made[made_count++] = {id, GetCurrentTransactionNestLevel()};
}

void register_session_callbacks() {
  RegisterXactCallback(at_transaction_end, nullptr);
  RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

void delete_backend_sessions() noexcept {
  if (!SharedMemoryAttached()) return;
  for (int i = 0; i < session_slot_count; i++) {
    SessionId gone;
    LWLockAcquire(session_lock(), LW_EXCLUSIVE);
    SessionSlot& slot = session_slots[i];
    if (slot.in_use && slot.owner_pid == MyProcPid) {
      gone = {i, slot.generation};
      free_slot(slot);
    }
    LWLockRelease(session_lock());
    if (gone.slot >= 0) terminate_session_peers(gone);
  }
}

long reap_sessions() {
  TimestampTz next = 0;
  bool foreign_owners = false;
  const TimestampTz now = GetCurrentTimestamp();
  for (int i = 0; i < session_slot_count; i++) {
    SessionId gone;
    LWLockAcquire(session_lock(), LW_SHARED);
    const bool in_use = session_slots[i].in_use;
    LWLockRelease(session_lock());
    if (!in_use) continue;
    LWLockAcquire(session_lock(), LW_EXCLUSIVE);
    SessionSlot& slot = session_slots[i];
    // A session that is not committed yet is its transaction's to end.
    if (slot.in_use && slot.status != static_cast<int>(SessionStatus::kUncommitted)) {
      if (over(slot, now) || !owner_alive(slot)) {
        gone = {i, slot.generation};
        free_slot(slot);
      } else {
        if (slot.status == static_cast<int>(SessionStatus::kConnected) && slot.fails_at != 0 &&
            slot.fails_at <= now) {
          slot.status = static_cast<int>(SessionStatus::kFailed);
          slot.has_ticket = false;
          slot.fails_at = 0;
          if (slot.connection[0] != '\0') free_slot(slot);
        }
        for (TimestampTz at : {slot.expires_at, slot.fails_at}) {
          if (at != 0 && (next == 0 || at < next)) next = at;
        }
        // A backend clears its own sessions away when it ends; another's has to be watched.
        if (slot.owner_pid != 0 && slot.owner_pid != slot.creator_pid) foreign_owners = true;
      }
    }
    LWLockRelease(session_lock());
    if (gone.slot >= 0) terminate_session_peers(gone);
  }
  long wait = foreign_owners ? kOwnerCheckMs : -1;
  if (next != 0) {
    const long until = TimestampDifferenceMilliseconds(now, next) + 1;
    wait = wait < 0 ? until : std::min(wait, until);
  }
  return wait;
}

}  // namespace pgsync::session
