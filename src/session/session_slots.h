// The slots of the sessions in shared memory: what the parts of the session table share.
#pragma once

#include "core/code.h"
#include "session/session_table.h"
#include "session/shared_memory.h"

namespace pgsync::session {

/// The fields are under SharedTable::kSessions. Trivial, so that leaves can copy it; too large for
/// the stack of one.
struct SessionSlot {
  bool in_use;
  uint32 generation;
  int status;
  int direction;
  char code[core::kCodeLength + 1];  // empty: the peer has come with a connection's token
  char connection[kUuidTextSize];    // its uuid; empty: the peer comes with a code
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

/// The slots of this server; no slots before shared memory is attached.
extern SessionSlot* session_slots;
extern int session_slot_count;

inline LWLock* session_lock() {
  return LockOf(SharedTable::kSessions);
}

/// The slot of a session, null where that is gone. Under the lock.
SessionSlot* slot_of(const SessionId& id);
/// Takes a slot for a new session, all zero but for what names it: a free one, or that of the
/// oldest session that has ended. Returns its index; -1 where all sessions are of use yet. Under
/// the exclusive lock.
int take_free_slot();
/// Where there is none: takes that of the session of this connection of the current database whose
/// peer has been away for longest, and could have come back. Likewise.
int take_waiting_slot(const char* connection);
/// Ends a session. Under the exclusive lock.
void free_slot(SessionSlot& slot);
/// Whether that is the session of a code: one of a connection has none, also not the empty one.
inline bool has_code(const SessionSlot& slot, const char* code) {
  return slot.in_use && slot.connection[0] == '\0' && strcmp(slot.code, code) == 0;
}
/// Visible to nobody any more, whether or not it was cleared away yet.
inline bool over(const SessionSlot& slot, TimestampTz now) {
  return slot.expires_at != 0 && slot.expires_at <= now;
}
/// The session of a copy of a slot.
Session FromSlot(int index, const SessionSlot& slot);

Size SessionTableSize();
void init_session_table(void* memory, bool found);

}  // namespace pgsync::session
