// The sessions: codes under which a peer may come, in shared memory.
//
// States:  uncommitted -> pending (COMMIT of the transaction that made it; gone if that aborts)
//          pending -> connected (a peer spends the code, or sync_validate_code does)
//          pending -> failed, connected -> completed | failed
// A session without ttl goes when the backend that owns it ends, one with a ttl when that is over.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/receive_limits.h"
#include "pg/guard.h"

namespace pgsync::session {

enum class Direction { kSend, kReceive };
enum class SessionStatus { kUncommitted, kPending, kConnected, kCompleted, kFailed };

const char* DirectionName(Direction direction);
const char* StatusName(SessionStatus status);

inline constexpr int kMaxSessionTables = 256;
inline constexpr size_t kMaxMetadata = 4096;

/// What names a session across its life: a slot may be used again by another.
struct SessionId {
  int slot = -1;
  uint32 generation = 0;
  bool operator==(const SessionId& other) const {
    return slot == other.slot && generation == other.generation;
  }
};

/// A copy of a session.
struct Session {
  SessionId id;
  std::string code;
  Direction direction = Direction::kSend;
  SessionStatus status = SessionStatus::kPending;
  Oid role = InvalidOid;
  Oid database = InvalidOid;
  int owner_pid = 0;  // 0: lives by its ttl
  std::optional<std::vector<Oid>> tables;
  int64 created_at = 0;  // TimestampTz; 0: never
  int64 connected_at = 0;
  int64 expires_at = 0;
  core::ReceiveLimits limits = core::ReceiveLimits::Default();  // of a receive session
  uint64 rows_taken = 0;                                        // by it, in pushes that committed
  std::string metadata;                                         // JSON object, in UTF-8
};

struct NewSession {
  Direction direction = Direction::kSend;
  std::optional<std::vector<Oid>> tables;
  std::optional<int64> ttl_ms;
  std::optional<int> owner_pid;  ///< another backend
  core::ReceiveLimits limits = core::ReceiveLimits::Default();
  std::string metadata = "{}";
};

/// Makes a session of the current user, in the current database. It can be used from COMMIT on.
/// Raises 53400 where the table is full, 54000 for too many tables.
Session CreateSession(const NewSession& request);

/// The session of this database with that code, if the current user may see it: P0002 for another's
/// as for none.
Session GetOwnSession(const std::string& code);
std::vector<Session> ListOwnSessions();
/// Spends the code: pending -> connected. 28000 unknown, 55000 already used.
Session ValidateOwnSession(const std::string& code);
/// Sets the status (only the moves above, else 22023) and the metadata.
Session UpdateOwnSession(const std::string& code, std::optional<SessionStatus> status,
                         const std::optional<std::string>& metadata);
void DeleteOwnSession(const std::string& code);
/// Number of sessions of this database that a peer may use or uses.
int CountActiveSessions();

/// Deletes this backend's sessions without ttl (DISCARD ALL, end of the backend). Raises nothing.
void delete_backend_sessions() noexcept;

// ---- for workers and the launcher -------------------------------------------------------------

enum class SpendResult { kSpent, kUnknown, kAlreadyUsed };
/// Spends a code for a peer and notes the hash of its ticket. Needs no database.
SpendResult SpendCode(const std::string& code, const std::string& ticket_hash, Session* session);
/// Makes a code that was just spent usable again: its peer could not be served for want of room.
void ReturnCode(const SessionId& id);
/// The connected session to which a ticket belongs.
std::optional<Session> FindByTicket(const std::string& ticket_hash);
/// Whether a peer could spend this code now, without spending it. Tells its database.
std::optional<Oid> DatabaseOfPendingCode(const std::string& code);
/// The connection of the session's peer begins; there can be one at a time, whose snapshot all that
/// it reads comes from.
enum class BeginResult { kBegun, kGone, kBusy };
BeginResult BeginConnection(const SessionId& id);
/// It ends. Without `completed` the session fails after the grace, unless the peer comes back.
void end_connection(const SessionId& id, bool completed) noexcept;
/// Counts rows that a push has brought, and returns how many the session has taken in all.
uint64 add_rows_taken(const SessionId& id, uint64 rows) noexcept;
void MarkSession(const SessionId& id, SessionStatus status);

/// Drops sessions whose owner or time is gone, fails those whose peer did not come back. Returns
/// the milliseconds until it is to be called again; -1: not before something changes.
long reap_sessions();

Size SessionTableSize();
void init_session_table(void* memory, bool found);
void register_session_callbacks();

}  // namespace pgsync::session
