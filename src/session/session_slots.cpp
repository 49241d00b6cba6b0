#include "session/session_slots.h"

#include "pg/settings.h"

namespace pgsync::session {

namespace settings = pg::settings;

SessionSlot* session_slots = nullptr;
int session_slot_count = 0;

SessionSlot* slot_of(const SessionId& id) {
  if (id.slot < 0 || id.slot >= session_slot_count) return nullptr;
  SessionSlot& slot = session_slots[id.slot];
  return slot.in_use && slot.generation == id.generation ? &slot : nullptr;
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
