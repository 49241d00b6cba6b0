#include "session/connection_session.h"

#include <algorithm>
#include <memory>

#include "session/job_table.h"
#include "session/peer_table.h"
#include "session/session_slots.h"

extern "C" {
#include "access/xact.h"
#include "utils/timestamp.h"
}

namespace pgsync::session {

namespace {

// The connections that the current transaction ends, with the nesting level that does. In
// TopMemoryContext: an aborted transaction's memory may be gone when this is read.
struct EndedConnection {
  char connection[kUuidTextSize];
  int level;
};
EndedConnection* ended = nullptr;
int ended_count = 0;
int ended_capacity = 0;

void end_sessions(const char* connection) {
  if (!SharedMemoryAttached()) return;
  LWLockAcquire(session_lock(), LW_EXCLUSIVE);
  for (int i = 0; i < session_slot_count; i++) {
    SessionSlot& slot = session_slots[i];
    if (slot.in_use && slot.database == MyDatabaseId && slot.connection[0] != '\0' &&
        strcmp(slot.connection, connection) == 0) {
      free_slot(slot);
    }
  }
  LWLockRelease(session_lock());
  terminate_connection_peers(connection);
  stop_connection_jobs(connection);
}

void at_transaction_end(XactEvent event, void*) {
  if (ended_count == 0) return;
  if (event == XACT_EVENT_PRE_PREPARE) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot PREPARE a transaction that has ended a connection")));
  }
  if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT) return;
  for (int i = 0; i < ended_count && event == XACT_EVENT_COMMIT; i++)
    end_sessions(ended[i].connection);
  ended_count = 0;
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  const int level = GetCurrentTransactionNestLevel();
  if (event == SUBXACT_EVENT_ABORT_SUB) {
    while (ended_count > 0 && ended[ended_count - 1].level >= level)
      ended_count--;
  } else if (event == SUBXACT_EVENT_COMMIT_SUB) {
    for (int i = 0; i < ended_count; i++)
      ended[i].level = std::min(ended[i].level, level - 1);
  }
}

}  // namespace

std::optional<Session> OpenConnectionSession(const std::string& connection, Oid role,
                                             const std::string& ticket_hash) {
  auto copy = std::make_unique<SessionSlot>();
  const int taken = pg::Call([&] {
    const TimestampTz now = GetCurrentTimestamp();
    LWLockAcquire(session_lock(), LW_EXCLUSIVE);
    int free = take_free_slot();
    if (free < 0) free = take_waiting_slot(connection.c_str());
    if (free >= 0) {
      SessionSlot& slot = session_slots[free];
      slot.status = static_cast<int>(SessionStatus::kConnected);
      slot.direction = static_cast<int>(Direction::kSend);
      strlcpy(slot.connection, connection.c_str(), sizeof(slot.connection));
      slot.role = role;
      slot.database = MyDatabaseId;
      slot.creator_pid = MyProcPid;
      slot.all_tables = true;
      slot.created_at = slot.connected_at = now;
      slot.connected = true;
      slot.has_ticket = true;
      memcpy(slot.ticket_hash, ticket_hash.data(), core::kTicketHashSize);
      slot.limits = core::ReceiveLimits::Default();
      strlcpy(slot.metadata, "{}", sizeof(slot.metadata));
      memcpy(copy.get(), &slot, sizeof(slot));
    }
    LWLockRelease(session_lock());
    return free;
  });
  if (taken < 0) return std::nullopt;
  return FromSlot(taken, *copy);
}

void DropConnectionSession(const SessionId& id) {
  pg::Call([&] {
    LWLockAcquire(session_lock(), LW_EXCLUSIVE);
    SessionSlot* slot = slot_of(id);
    if (slot != nullptr && slot->connection[0] != '\0') free_slot(*slot);
    LWLockRelease(session_lock());
  });
}

void EndConnectionAtCommit(const std::string& connection) {
  pg::Call([&] {
    if (ended_count == ended_capacity) {
      const int capacity = std::max(8, ended_capacity * 2);
      const Size size = sizeof(EndedConnection) * capacity;
      ended = static_cast<EndedConnection*>(
          ended == nullptr ? MemoryContextAlloc(TopMemoryContext, size) : repalloc(ended, size));
      ended_capacity = capacity;
    }
    EndedConnection& entry = ended[ended_count++];
    strlcpy(entry.connection, connection.c_str(), sizeof(entry.connection));
    entry.level = GetCurrentTransactionNestLevel();
  });
}

void register_connection_callbacks() {
  RegisterXactCallback(at_transaction_end, nullptr);
  RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

}  // namespace pgsync::session
