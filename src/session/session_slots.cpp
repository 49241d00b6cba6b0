#include "session/session_slots.h"

#include "pg/settings.h"

namespace pgsync::session {

namespace settings = pg::settings;

SessionSlot* session_slots = nullptr;
int session_slot_count = 0;

namespace {

// A session that has ended can still be looked at until its time is over, but not in the place of a
// new one. Returns its index, -1 where all sessions are of use yet.
int oldest_ended() {
  int oldest = -1;
  for (int i = 0; i < session_slot_count; i++) {
    const auto status = static_cast<SessionStatus>(session_slots[i].status);
    if (session_slots[i].connected ||
        (status != SessionStatus::kCompleted && status != SessionStatus::kFailed)) {
      continue;
    }
    if (oldest < 0 || session_slots[i].created_at < session_slots[oldest].created_at) oldest = i;
  }
  return oldest;
}

// Whatever was in it, it is a new session's.
void begin_slot(SessionSlot& slot) {
  if (slot.in_use) free_slot(slot);
  const uint32 generation = slot.generation;
  memset(&slot, 0, sizeof(slot));
  slot.in_use = true;
  slot.generation = generation;
}

}  // namespace

SessionSlot* slot_of(const SessionId& id) {
  if (id.slot < 0 || id.slot >= session_slot_count) return nullptr;
  SessionSlot& slot = session_slots[id.slot];
  return slot.in_use && slot.generation == id.generation ? &slot : nullptr;
}

int take_free_slot() {
  int taken = -1;
  for (int i = 0; i < session_slot_count && taken < 0; i++) {
    if (!session_slots[i].in_use) taken = i;
  }
  if (taken < 0) taken = oldest_ended();
  if (taken >= 0) begin_slot(session_slots[taken]);
  return taken;
}

int take_waiting_slot(const char* connection) {
  int taken = -1;
  for (int i = 0; i < session_slot_count; i++) {
    const SessionSlot& slot = session_slots[i];
    if (!slot.in_use || slot.connected || slot.fails_at == 0 || slot.database != MyDatabaseId ||
        strcmp(slot.connection, connection) != 0) {
      continue;
    }
    if (taken < 0 || slot.fails_at < session_slots[taken].fails_at) taken = i;
  }
  if (taken >= 0) begin_slot(session_slots[taken]);
  return taken;
}

void free_slot(SessionSlot& slot) {
  slot.in_use = false;
  slot.generation++;
  slot.has_ticket = false;
}

Session FromSlot(int index, const SessionSlot& slot) {
  Session session;
  session.id = {index, slot.generation};
  session.code = slot.code;
  session.connection = slot.connection;
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

Size SessionTableSize() {
  return mul_size(sizeof(SessionSlot), settings::max_sessions);
}

void init_session_table(void* memory, bool found) {
  session_slots = static_cast<SessionSlot*>(memory);
  session_slot_count = settings::max_sessions;
  if (!found) memset(memory, 0, SessionTableSize());
}

}  // namespace pgsync::session
