// The sessions: codes under which a peer may come, in shared memory.
//
// States:  uncommitted -> pending (COMMIT of the transaction that made it; gone if that aborts)
//          pending -> connected (a peer spends the code, or sync_validate_code does)
//          pending -> failed, connected -> completed | failed
// A session without ttl goes when the backend that owns it ends, one with a ttl when that is over.
//
// A peer that comes with the token of a permanent connection gets a session, too, which has no code
// and is connected from the beginning. It goes when its peer does, and is not among those that are
// listed here: the functions below are about sessions with a code.
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
  std::string code;        // empty for a peer that has come with a connection's token
  std::string connection;  // uuid of that connection; else empty
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

}  // namespace pgsync::session
