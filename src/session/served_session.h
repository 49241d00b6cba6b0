// A session as its peer uses it: the code is spent for a ticket, the ticket brings the peer back,
// one connection at a time. For workers.
#pragma once

#include <optional>
#include <string>

#include "session/session_table.h"

namespace pgsync::session {

enum class SpendResult { kSpent, kUnknown, kAlreadyUsed };
/// Spends a code for a peer and notes the hash of its ticket. Needs no database.
SpendResult SpendCode(const std::string& code, const std::string& ticket_hash, Session* session);
/// Makes a code that was just spent usable again: its peer could not be served for want of room.
void ReturnCode(const SessionId& id);
/// The connected session to which a ticket belongs.
std::optional<Session> FindByTicket(const std::string& ticket_hash);
/// What a code is, without spending it; nullopt: unknown.
struct CodeFacts {
  bool pending;  // a peer could spend it now
  Oid database;
  Direction direction;
};
std::optional<CodeFacts> LookUpCode(const std::string& code);
/// Sets a member of the session's metadata to that JSON (UTF-8). False where the session is gone,
/// or the metadata would not fit.
bool SetMetadata(const SessionId& id, std::string_view name, std::string_view json);
/// The connection of the session's peer begins; there can be one at a time, whose snapshot all that
/// it reads comes from.
enum class BeginResult { kBegun, kGone, kBusy };
BeginResult BeginConnection(const SessionId& id);
/// It ends. Without `completed` the session fails after the grace, unless the peer comes back.
void end_connection(const SessionId& id, bool completed) noexcept;
/// Counts rows that a push has brought, and returns how many the session has taken in all.
uint64 add_rows_taken(const SessionId& id, uint64 rows) noexcept;
void MarkSession(const SessionId& id, SessionStatus status);

}  // namespace pgsync::session
