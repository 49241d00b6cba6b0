// Sessions of peers that come with the token of a permanent connection, and their end, as that of
// jobs, when that connection may not be used any more.
#pragma once

#include <optional>
#include <string>

#include "session/session_table.h"

namespace pgsync::session {

/// A session of the current database for a peer that is there: connected, with its first
/// connection begun, to be come back to with the ticket, with that role's rights to read. nullopt
/// where all sync.max_sessions are taken.
std::optional<Session> OpenConnectionSession(const std::string& connection, Oid role,
                                             const std::string& ticket_hash);
/// Forgets such a session, whose peer was not let in after all. No other one.
void DropConnectionSession(const SessionId& id);

/// Ends the sessions, the workers and the jobs of a connection of the current database at COMMIT of
/// the current transaction: for what suspends, revokes or deletes it. Not if that rolls back.
void EndConnectionAtCommit(const std::string& connection);
void register_connection_callbacks();

}  // namespace pgsync::session
