// What the life of a session hangs on besides its users: the transaction that makes it, the backend
// that owns it, its time, and that of a peer that was lost.
#pragma once

#include "session/session_table.h"

namespace pgsync::session {

/// Makes room to note a session that the current transaction makes. For leaves.
void reserve_made_session();
/// Notes it: its fate hangs on the nesting level that made it. Raises nothing.
void note_made_session(const SessionId& id) noexcept;

/// Deletes this backend's sessions without ttl (DISCARD ALL, end of the backend). Raises nothing.
void delete_backend_sessions() noexcept;

/// Drops sessions whose owner or time is gone, fails those whose peer did not come back. Returns
/// the milliseconds until it is to be called again; -1: not before something changes.
long reap_sessions();

void register_session_callbacks();

}  // namespace pgsync::session
