#include "session/session_table.h"

#include <algorithm>
#include <memory>

#include "core/code.h"
#include "core/text.h"
#include "pg/identity.h"
#include "pg/settings.h"
#include "session/launcher_state.h"
#include "session/peer_table.h"
#include "session/shared_memory.h"

extern "C" {
#include "access/xact.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/acl.h"
#include "utils/timestamp.h"
}

namespace pgsync::session {

using core::Cat;
using core::Error;
namespace settings = pg::settings;
namespace sqlstate = core::sqlstate;

namespace {

// How often the launcher looks after owners that it cannot be told of.
constexpr long kOwnerCheckMs = 1000;

struct SessionSlot {
  bool in_use;
  uint32 generation;
  int status;
  int direction;
  char code[core::kCodeLength + 1];
  Oid role;
  Oid database;
  int owner_pid;     // 0: by ttl
  int owner_procno;  // index of the owner's PGPROC, so that a pid used again is no owner
  int creator_pid;
  bool all_tables;
  int table_count;
  Oid tables[kMaxSessionTables];
  TimestampTz created_at;
  TimestampTz connected_at;
  TimestampTz expires_at;
  bool connected;        // the peer has a connection now
  TimestampTz fails_at;  // it has lost it, and may come back until then
  bool has_ticket;
  char ticket_hash[core::kTicketHashSize];
  core::ReceiveLimits limits;
  uint64 rows_taken;
  char metadata[kMaxMetadata + 1];
};
static_assert(std::is_trivially_copyable_v<SessionSlot>);

SessionSlot* slots = nullptr;
int slot_count = 0;

LWLock* lock() {
  return LockOf(SharedTable::kSessions);
}

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

void reserve_made() {
  if (made_count < made_capacity) return;
  const int capacity = std::max(8, made_capacity * 2);
  const Size size = sizeof(MadeSession) * capacity;
  made = static_cast<MadeSession*>(made == nullptr ? MemoryContextAlloc(TopMemoryContext, size)
                                                   : repalloc(made, size));
  made_capacity = capacity;
}

SessionSlot* slot_of(const SessionId& id) {
  if (id.slot < 0 || id.slot >= slot_count) return nullptr;
  SessionSlot& slot = slots[id.slot];
  return slot.in_use && slot.generation == id.generation ? &slot : nullptr;
}

void free_slot(SessionSlot& slot) {
  slot.in_use = false;
  slot.generation++;
  slot.has_ticket = false;
}

// A session that has ended can still be looked at until its time is over, but not in the place of a
// new one. Returns the slot, -1 where all sessions are of use yet.
int free_oldest_ended() {
  int oldest = -1;
  for (int i = 0; i < slot_count; i++) {
    const auto status = static_cast<SessionStatus>(slots[i].status);
    if (slots[i].connected ||
        (status != SessionStatus::kCompleted && status != SessionStatus::kFailed)) {
      continue;
    }
    if (oldest < 0 || slots[i].created_at < slots[oldest].created_at) oldest = i;
  }
  if (oldest >= 0) free_slot(slots[oldest]);
  return oldest;
}

bool owner_alive(const SessionSlot& slot) {
  if (slot.owner_pid == 0) return true;
  const PGPROC* proc = BackendPidGetProc(slot.owner_pid);
  return proc != nullptr && proc->pgprocno == slot.owner_procno;
}

// Visible to nobody any more, whether or not it was cleared away yet.
bool over(const SessionSlot& slot, TimestampTz now) {
  return slot.expires_at != 0 && slot.expires_at <= now;
}

void at_transaction_end(XactEvent event, void*) {
  if (made_count == 0) return;
  if (event == XACT_EVENT_PRE_PREPARE) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot PREPARE a transaction that has made a session")));
  }
  if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT) return;
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  for (int i = 0; i < made_count; i++) {
    SessionSlot* slot = slot_of(made[i].id);
    if (slot == nullptr) continue;
    if (event == XACT_EVENT_ABORT) {
      free_slot(*slot);
    } else if (slot->status == static_cast<int>(SessionStatus::kUncommitted)) {
      slot->status = static_cast<int>(SessionStatus::kPending);
    }
  }
  LWLockRelease(lock());
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
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    for (int i = 0; i < made_count; i++) {
      if (made[i].level < level) {
        made[kept++] = made[i];
      } else if (SessionSlot* slot = slot_of(made[i].id)) {
        free_slot(*slot);
      }
    }
    LWLockRelease(lock());
    made_count = kept;
  }
}

void leave_sessions(int, Datum) {
  delete_backend_sessions();
}

// A slot in memory of ours; the tables and the metadata make it too large for the stack of a leaf.
struct SlotCopy {
  SessionSlot slot;
};

Session FromSlot(int index, const SessionSlot& slot) {
  Session session;
  session.id = {index, slot.generation};
  session.code = slot.code;
  session.direction = static_cast<Direction>(slot.direction);
  session.status = static_cast<SessionStatus>(slot.status);
  session.role = slot.role;
  session.database = slot.database;
  session.owner_pid = slot.owner_pid;
  if (!slot.all_tables) session.tables.emplace(slot.tables, slot.tables + slot.table_count);
  session.created_at = slot.created_at;
  session.connected_at = slot.connected_at;
  session.expires_at = slot.expires_at;
  session.limits = slot.limits;
  session.rows_taken = slot.rows_taken;
  session.metadata = slot.metadata;
  return session;
}

// Runs `change` on the slot of a code that the current user may use, under the exclusive lock, and
// returns a copy of the slot as it is then. `change` is part of the leaf.
template <typename Change>
Session WithOwnSession(const std::string& code, Change change) {
  RequireSharedMemory();
  auto copy = std::make_unique<SlotCopy>();
  const int found = pg::Call([&] {
    const Oid user = GetUserId();
    const bool superuser_asks = superuser();
    int index = -1;
    Oid role = InvalidOid;
    // Membership is looked up in the catalogs, which the lock must not be held for: find the role
    // first, then look again.
    LWLockAcquire(lock(), LW_SHARED);
    for (int i = 0; i < slot_count; i++) {
      if (slots[i].in_use && slots[i].database == MyDatabaseId &&
          strcmp(slots[i].code, code.c_str()) == 0 && !over(slots[i], GetCurrentTimestamp())) {
        index = i;
        role = slots[i].role;
      }
    }
    LWLockRelease(lock());
    if (index < 0) return -1;
    if (!superuser_asks && !is_member_of_role(user, role)) return -1;
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    SessionSlot& slot = slots[index];
    const bool same = slot.in_use && strcmp(slot.code, code.c_str()) == 0;
    if (same) {
      change(slot);
      memcpy(&copy->slot, &slot, sizeof(slot));
    }
    LWLockRelease(lock());
    return same ? index : -1;
  });
  if (found < 0) {
    throw Error(sqlstate::kNotFound, "session not_found")
        .WithDetail("There is no session with that code, or it belongs to another role.");
  }
  return FromSlot(found, copy->slot);
}

}  // namespace

const char* DirectionName(Direction direction) {
  return direction == Direction::kSend ? "send" : "receive";
}

const char* StatusName(SessionStatus status) {
  switch (status) {
    case SessionStatus::kUncommitted:
    case SessionStatus::kPending:
      return "pending";
    case SessionStatus::kConnected:
      return "connected";
    case SessionStatus::kCompleted:
      return "completed";
    case SessionStatus::kFailed:
      return "failed";
  }
  return "";
}

Size SessionTableSize() {
  return mul_size(sizeof(SessionSlot), settings::max_sessions);
}

void init_session_table(void* memory, bool found) {
  slots = static_cast<SessionSlot*>(memory);
  slot_count = settings::max_sessions;
  if (!found) memset(memory, 0, SessionTableSize());
}

void register_session_callbacks() {
  RegisterXactCallback(at_transaction_end, nullptr);
  RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

Session CreateSession(const NewSession& request) {
  RequireLauncher();
  if (request.tables && request.tables->size() > kMaxSessionTables) {
    throw Error(sqlstate::kTooLarge, "too many tables for one session")
        .WithDetail(
            Cat("It names ", request.tables->size(), "; the limit is ", kMaxSessionTables, "."));
  }
  if (request.metadata.size() > kMaxMetadata) {
    throw Error(sqlstate::kTooLarge, "metadata of the session is too large")
        .WithDetail(Cat("The limit is ", kMaxMetadata, " bytes."));
  }
  const std::vector<Oid> tables = request.tables.value_or(std::vector<Oid>());
  const Oid* table_oids = tables.data();
  const int table_count = static_cast<int>(tables.size());
  for (;;) {
    const std::string code = core::NewCode([](char* to, size_t size) {
      if (!pg_strong_random(to, size)) {
        throw Error(sqlstate::kInternal, "no random numbers to be had");
      }
    });
    SessionId id;
    const int result = pg::Call([&] {
      reserve_made();
      if (!exit_registered) before_shmem_exit(leave_sessions, (Datum)0);
      exit_registered = true;
      const int owner_pid = request.ttl_ms ? 0 : request.owner_pid.value_or(MyProcPid);
      const PGPROC* owner = owner_pid != 0 ? BackendPidGetProc(owner_pid) : nullptr;
      const TimestampTz now = GetCurrentTimestamp();
      int free = -1;
      bool clash = false;
      LWLockAcquire(lock(), LW_EXCLUSIVE);
      for (int i = 0; i < slot_count; i++) {
        if (!slots[i].in_use && free < 0) free = i;
        if (slots[i].in_use && strcmp(slots[i].code, code.c_str()) == 0) clash = true;
      }
      if (free < 0) free = free_oldest_ended();
      if (free >= 0 && !clash) {
        SessionSlot& slot = slots[free];
        const uint32 generation = slot.generation;
        memset(&slot, 0, sizeof(slot));
        slot.in_use = true;
        slot.generation = generation;
        slot.status = static_cast<int>(SessionStatus::kUncommitted);
        slot.direction = static_cast<int>(request.direction);
        strlcpy(slot.code, code.c_str(), sizeof(slot.code));
        slot.role = GetUserId();
        slot.database = MyDatabaseId;
        slot.owner_pid = owner_pid;
        slot.owner_procno = owner != nullptr ? owner->pgprocno : -1;
        slot.creator_pid = MyProcPid;
        slot.all_tables = !request.tables.has_value();
        slot.table_count = table_count;
        if (table_count > 0) memcpy(slot.tables, table_oids, sizeof(Oid) * table_count);
        slot.created_at = now;
        slot.expires_at = request.ttl_ms ? now + *request.ttl_ms * 1000 : 0;
        slot.limits = request.limits;
        strlcpy(slot.metadata, request.metadata.c_str(), sizeof(slot.metadata));
        id = {free, generation};
      }
      LWLockRelease(lock());
      if (free >= 0 && !clash) made[made_count++] = {id, GetCurrentTransactionNestLevel()};
      return clash ? 1 : free < 0 ? 2 : 0;
    });
    if (result == 1) continue;
    if (result == 2) {
      throw Error(sqlstate::kLimitExceeded, "too many sessions")
          .WithDetail(Cat("There are ", slot_count, " already."))
          .WithHint("Delete some with sync_delete_session(), or raise sync.max_sessions.");
    }
    return GetOwnSession(code);
  }
}

Session GetOwnSession(const std::string& code) {
  return WithOwnSession(code, [](SessionSlot&) {});
}

std::vector<Session> ListOwnSessions() {
  std::vector<Session> sessions;
  if (!SharedMemoryAttached()) return sessions;
  auto copy = std::make_unique<SlotCopy>();
  for (int i = 0; i < slot_count; i++) {
    const bool visible = pg::Call([&] {
      LWLockAcquire(lock(), LW_SHARED);
      memcpy(&copy->slot, &slots[i], sizeof(SessionSlot));
      LWLockRelease(lock());
      return copy->slot.in_use && copy->slot.database == MyDatabaseId &&
             !over(copy->slot, GetCurrentTimestamp()) &&
             (superuser() || is_member_of_role(GetUserId(), copy->slot.role));
    });
    if (visible) sessions.push_back(FromSlot(i, copy->slot));
  }
  std::sort(sessions.begin(), sessions.end(), [](const Session& a, const Session& b) {
    return a.created_at > b.created_at;  // newest first
  });
  return sessions;
}

Session ValidateOwnSession(const std::string& code) {
  bool spent = false;
  const auto change = [&](SessionSlot& slot) {
    if (slot.status > static_cast<int>(SessionStatus::kPending)) return;
    slot.status = static_cast<int>(SessionStatus::kConnected);
    slot.connected_at = GetCurrentTimestamp();
    spent = true;
  };
  Session session;
  try {
    session = WithOwnSession(code, change);
  } catch (const Error& error) {
    if (error.state() != sqlstate::kNotFound) throw;
    throw Error(sqlstate::kInvalidAuthorization, "invalid_code")
        .WithDetail("There is no session with that code, or it belongs to another role.");
  }
  if (!spent) {
    throw Error(sqlstate::kNotInPrerequisiteState, "code already_used")
        .WithDetail(Cat("The session is ", StatusName(session.status), "."));
  }
  return session;
}

Session UpdateOwnSession(const std::string& code, std::optional<SessionStatus> status,
                         const std::optional<std::string>& metadata) {
  if (metadata && metadata->size() > kMaxMetadata) {
    throw Error(sqlstate::kTooLarge, "metadata of the session is too large")
        .WithDetail(Cat("The limit is ", kMaxMetadata, " bytes."));
  }
  int refused_from = -1;
  const Session session = WithOwnSession(code, [&](SessionSlot& slot) {
    if (status) {
      const auto from = static_cast<SessionStatus>(slot.status);
      const bool legal =
          (*status == SessionStatus::kFailed &&
           (from <= SessionStatus::kPending || from == SessionStatus::kConnected)) ||
          (*status == SessionStatus::kCompleted && from == SessionStatus::kConnected);
      if (!legal) {
        refused_from = slot.status;
        return;
      }
      slot.status = static_cast<int>(*status);
    }
    if (metadata) strlcpy(slot.metadata, metadata->c_str(), sizeof(slot.metadata));
  });
  if (refused_from >= 0) {
    throw Error(
        sqlstate::kInvalidParameter,
        Cat("session cannot go from \"", StatusName(static_cast<SessionStatus>(refused_from)),
            "\" to \"", StatusName(*status), "\""))
        .WithHint("A pending session can fail; a connected one can be completed or fail.");
  }
  if (status) pg::Call([&] { terminate_session_peers(session.id); });
  return session;
}

void DeleteOwnSession(const std::string& code) {
  const Session session = WithOwnSession(code, [](SessionSlot&) {});
  pg::Call([&] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    if (SessionSlot* slot = slot_of(session.id)) free_slot(*slot);
    LWLockRelease(lock());
    terminate_session_peers(session.id);
  });
}

int CountActiveSessions() {
  if (!SharedMemoryAttached()) return 0;
  return pg::Call([] {
    int count = 0;
    const TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(lock(), LW_SHARED);
    for (int i = 0; i < slot_count; i++) {
      const auto status = static_cast<SessionStatus>(slots[i].status);
      if (slots[i].in_use && slots[i].database == MyDatabaseId && !over(slots[i], now) &&
          status <= SessionStatus::kConnected) {
        count++;
      }
    }
    LWLockRelease(lock());
    return count;
  });
}

void delete_backend_sessions() noexcept {
  if (!SharedMemoryAttached()) return;
  for (int i = 0; i < slot_count; i++) {
    SessionId gone;
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    SessionSlot& slot = slots[i];
    if (slot.in_use && slot.owner_pid == MyProcPid) {
      gone = {i, slot.generation};
      free_slot(slot);
    }
    LWLockRelease(lock());
    if (gone.slot >= 0) terminate_session_peers(gone);
  }
}

SpendResult SpendCode(const std::string& code, const std::string& ticket_hash, Session* session) {
  auto copy = std::make_unique<SlotCopy>();
  int index = -1;
  const SpendResult result = pg::Call([&] {
    SpendResult outcome = SpendResult::kUnknown;
    const TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    for (int i = 0; i < slot_count; i++) {
      SessionSlot& slot = slots[i];
      if (!slot.in_use || strcmp(slot.code, code.c_str()) != 0) continue;
      const auto status = static_cast<SessionStatus>(slot.status);
      if (status == SessionStatus::kUncommitted || over(slot, now)) continue;
      if (status != SessionStatus::kPending) {
        outcome = SpendResult::kAlreadyUsed;
        continue;
      }
      slot.status = static_cast<int>(SessionStatus::kConnected);
      slot.connected_at = now;
      slot.has_ticket = true;
      memcpy(slot.ticket_hash, ticket_hash.data(), core::kTicketHashSize);
      memcpy(&copy->slot, &slot, sizeof(slot));
      index = i;
      outcome = SpendResult::kSpent;
    }
    LWLockRelease(lock());
    return outcome;
  });
  if (result == SpendResult::kSpent) *session = FromSlot(index, copy->slot);
  return result;
}

void ReturnCode(const SessionId& id) {
  pg::Call([&] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    SessionSlot* slot = slot_of(id);
    if (slot != nullptr && slot->status == static_cast<int>(SessionStatus::kConnected)) {
      slot->status = static_cast<int>(SessionStatus::kPending);
      slot->connected_at = 0;
      slot->has_ticket = false;
    }
    LWLockRelease(lock());
  });
}

std::optional<Session> FindByTicket(const std::string& ticket_hash) {
  auto copy = std::make_unique<SlotCopy>();
  const int found = pg::Call([&] {
    int index = -1;
    const TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(lock(), LW_SHARED);
    for (int i = 0; i < slot_count; i++) {
      const SessionSlot& slot = slots[i];
      if (!slot.in_use || !slot.has_ticket || over(slot, now) ||
          slot.status != static_cast<int>(SessionStatus::kConnected)) {
        continue;
      }
      if (memcmp(slot.ticket_hash, ticket_hash.data(), core::kTicketHashSize) == 0) {
        memcpy(&copy->slot, &slot, sizeof(slot));
        index = i;
      }
    }
    LWLockRelease(lock());
    return index;
  });
  if (found < 0) return std::nullopt;
  return FromSlot(found, copy->slot);
}

std::optional<Oid> DatabaseOfPendingCode(const std::string& code) {
  const Oid database = pg::Call([&] {
    Oid found = InvalidOid;
    const TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(lock(), LW_SHARED);
    for (int i = 0; i < slot_count; i++) {
      if (slots[i].in_use && !over(slots[i], now) && strcmp(slots[i].code, code.c_str()) == 0 &&
          slots[i].status == static_cast<int>(SessionStatus::kPending)) {
        found = slots[i].database;
      }
    }
    LWLockRelease(lock());
    return found;
  });
  return OidIsValid(database) ? std::optional<Oid>(database) : std::nullopt;
}

BeginResult BeginConnection(const SessionId& id) {
  return pg::Call([&] {
    BeginResult result = BeginResult::kGone;
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    SessionSlot* slot = slot_of(id);
    if (slot != nullptr && slot->status == static_cast<int>(SessionStatus::kConnected)) {
      result = slot->connected ? BeginResult::kBusy : BeginResult::kBegun;
      slot->connected = true;
      slot->fails_at = 0;
    }
    LWLockRelease(lock());
    return result;
  });
}

void end_connection(const SessionId& id, bool completed) noexcept {
  const TimestampTz now = GetCurrentTimestamp();
  bool waits = false;
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  SessionSlot* slot = slot_of(id);
  if (slot != nullptr) {
    slot->connected = false;
    if (slot->status == static_cast<int>(SessionStatus::kConnected)) {
      if (completed) {
        slot->status = static_cast<int>(SessionStatus::kCompleted);
        slot->has_ticket = false;
      } else {
        slot->fails_at = now + settings::reconnect_grace_s * USECS_PER_SEC;
        waits = true;
      }
    }
  }
  LWLockRelease(lock());
  if (waits) wake_launcher();
}

uint64 add_rows_taken(const SessionId& id, uint64 rows) noexcept {
  uint64 taken = 0;
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  if (SessionSlot* slot = slot_of(id)) taken = slot->rows_taken += rows;
  LWLockRelease(lock());
  return taken;
}

void MarkSession(const SessionId& id, SessionStatus status) {
  pg::Call([&] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    if (SessionSlot* slot = slot_of(id)) slot->status = static_cast<int>(status);
    LWLockRelease(lock());
  });
}

long reap_sessions() {
  TimestampTz next = 0;
  bool foreign_owners = false;
  const TimestampTz now = GetCurrentTimestamp();
  for (int i = 0; i < slot_count; i++) {
    SessionId gone;
    LWLockAcquire(lock(), LW_SHARED);
    const bool in_use = slots[i].in_use;
    LWLockRelease(lock());
    if (!in_use) continue;
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    SessionSlot& slot = slots[i];
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
        }
        for (TimestampTz at : {slot.expires_at, slot.fails_at}) {
          if (at != 0 && (next == 0 || at < next)) next = at;
        }
        // A backend clears its own sessions away when it ends; another's has to be watched.
        if (slot.owner_pid != 0 && slot.owner_pid != slot.creator_pid) foreign_owners = true;
      }
    }
    LWLockRelease(lock());
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
