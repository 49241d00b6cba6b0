#include "session/session_table.h"

#include <algorithm>
#include <memory>

#include "core/code.h"
#include "core/text.h"
#include "session/launcher_state.h"
#include "session/peer_table.h"
#include "session/session_lifetime.h"
#include "session/session_slots.h"

extern "C" {
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/acl.h"
#include "utils/timestamp.h"
}

namespace pgsync::session {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// Runs `change` on the slot of a code that the current user may use, under the exclusive lock, and
// returns a copy of the slot as it is then. `change` is part of the leaf.
template <typename Change>
Session WithOwnSession(const std::string& code, Change change) {
  RequireSharedMemory();
  auto copy = std::make_unique<SessionSlot>();
  const int found = pg::Call([&] {
    const Oid user = GetUserId();
    const bool superuser_asks = superuser();
    int index = -1;
    Oid role = InvalidOid;
    // Membership is looked up in the catalogs, which the lock must not be held for: find the role
    // first, then look again.
    LWLockAcquire(session_lock(), LW_SHARED);
    for (int i = 0; i < session_slot_count; i++) {
      if (has_code(session_slots[i], code.c_str()) && session_slots[i].database == MyDatabaseId &&
          !over(session_slots[i], GetCurrentTimestamp())) {
        index = i;
        role = session_slots[i].role;
      }
    }
    LWLockRelease(session_lock());
    if (index < 0) return -1;
    if (!superuser_asks && !is_member_of_role(user, role)) return -1;
    LWLockAcquire(session_lock(), LW_EXCLUSIVE);
    SessionSlot& slot = session_slots[index];
    const bool same = has_code(slot, code.c_str());
    if (same) {
      change(slot);
      memcpy(copy.get(), &slot, sizeof(slot));
    }
    LWLockRelease(session_lock());
    return same ? index : -1;
  });
  if (found < 0) {
    throw Error(sqlstate::kNotFound, "session not_found")
        .WithDetail("There is no session with that code, or it belongs to another role.");
  }
  return FromSlot(found, *copy);
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
      reserve_made_session();
      const int owner_pid = request.ttl_ms ? 0 : request.owner_pid.value_or(MyProcPid);
      const PGPROC* owner = owner_pid != 0 ? BackendPidGetProc(owner_pid) : nullptr;
      const TimestampTz now = GetCurrentTimestamp();
      bool clash = false;
      LWLockAcquire(session_lock(), LW_EXCLUSIVE);
      for (int i = 0; i < session_slot_count; i++) {
        if (has_code(session_slots[i], code.c_str())) clash = true;
      }
      const int free = clash ? -1 : take_free_slot();
      if (free >= 0) {
        SessionSlot& slot = session_slots[free];
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
        id = {free, slot.generation};
      }
      LWLockRelease(session_lock());
      if (free >= 0) note_made_session(id);
      return clash ? 1 : free < 0 ? 2 : 0;
    });
    if (result == 1) continue;
    if (result == 2) {
      throw Error(sqlstate::kLimitExceeded, "too many sessions")
          .WithDetail(Cat("There are ", session_slot_count, " already."))
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
  auto copy = std::make_unique<SessionSlot>();
  for (int i = 0; i < session_slot_count; i++) {
    const bool visible = pg::Call([&] {
      LWLockAcquire(session_lock(), LW_SHARED);
      memcpy(copy.get(), &session_slots[i], sizeof(SessionSlot));
      LWLockRelease(session_lock());
      return copy->in_use && copy->connection[0] == '\0' && copy->database == MyDatabaseId &&
             !over(*copy, GetCurrentTimestamp()) &&
             (superuser() || is_member_of_role(GetUserId(), copy->role));
    });
    if (visible) sessions.push_back(FromSlot(i, *copy));
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
    LWLockAcquire(session_lock(), LW_EXCLUSIVE);
    if (SessionSlot* slot = slot_of(session.id)) free_slot(*slot);
    LWLockRelease(session_lock());
    terminate_session_peers(session.id);
  });
}

int CountActiveSessions() {
  if (!SharedMemoryAttached()) return 0;
  return pg::Call([] {
    int count = 0;
    const TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(session_lock(), LW_SHARED);
    for (int i = 0; i < session_slot_count; i++) {
      const auto status = static_cast<SessionStatus>(session_slots[i].status);
      if (session_slots[i].in_use && session_slots[i].connection[0] == '\0' &&
          session_slots[i].database == MyDatabaseId && !over(session_slots[i], now) &&
          status <= SessionStatus::kConnected) {
        count++;
      }
    }
    LWLockRelease(session_lock());
    return count;
  });
}

}  // namespace pgsync::session
