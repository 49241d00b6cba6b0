// The permanent connections of this database: the rows of sync_connections as C++ values. Read and
// written as the extension's owner, whoever the current user is.
//
// A sender row is of the side that has the data and serves it; it holds the hash of the token. A
// receiver row is of the side that pulls; its token is in sync_secrets.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/policy.h"
#include "pg/guard.h"

namespace pgsync::connection {

enum class Direction { kSender, kReceiver };
const char* DirectionName(Direction direction);

/// A row of sync_connections, as far as more is done with it than to show it. Text is in the
/// database's encoding; times are TimestampTz.
struct Connection {
  std::string uuid;
  std::string name;
  Direction direction = Direction::kSender;
  std::string site_url;
  std::string run_as;
  std::optional<std::string> auth_token_hash;
  core::ConnectionStatus status = core::ConnectionStatus::kPending;
  core::ApprovalMode approval_mode = core::ApprovalMode::kAutoApprove;
  std::vector<std::string> allowed_tables;
  std::vector<std::string> excluded_tables;
  std::vector<std::string> auto_approve_tables;
  std::optional<int64_t> expires_at;
  std::optional<int64_t> max_downloads;
  int64 downloads_used = 0;
  std::optional<int64_t> max_records_total;
  int64 records_downloaded = 0;
  int64 max_records_per_request = 0;
  int rate_limit_requests_per_minute = 0;
  std::optional<std::string> download_password_hash;  ///< a SCRAM-SHA-256 verifier
  std::vector<std::string> ip_whitelist;
  std::optional<int> allowed_hours_start;
  std::optional<int> allowed_hours_end;
  std::optional<std::string> suspended_by;
  std::optional<std::string> created_by;
  std::string metadata;  ///< a JSON object
};

/// With which eyes a row is read.
enum class Reading {
  kStatement,  ///< the statement's snapshot, as any query
  kFresh,      ///< what is committed now, also in a REPEATABLE READ transaction
  kLocked,     ///< as kStatement, and locked for an update until the transaction ends, which
               ///< waits for no transaction that has added to its history
};

/// Whether the objects of version 1.1 are there; they are not before ALTER EXTENSION UPDATE.
bool Available();
/// Raises 55000 with a HINT where they are not.
void RequireAvailable();
/// A table of the extension, qualified and quoted.
std::string TableOf(const char* name);

/// By its uuid (as text) or its name; a name that looks like a uuid cannot be given. Raises
/// RequireAvailable()'s error.
std::optional<Connection> FindConnection(const std::string& name_or_uuid,
                                         Reading reading = Reading::kStatement);
/// The same; raises P0002 where there is none.
Connection GetConnection(const std::string& name_or_uuid, Reading reading = Reading::kStatement);
std::optional<Connection> FindByUuid(const std::string& uuid,
                                     Reading reading = Reading::kStatement);
/// The sender row of the token with that hash (core::HashToken), whatever its status. Finds none
/// where Available() is false.
std::optional<Connection> FindSenderByToken(const std::string& token_hash,
                                            Reading reading = Reading::kStatement);
/// The row, of either direction, with that URL, to the letter, and token hash. Likewise.
std::optional<Connection> FindBySite(const std::string& site_url, const std::string& token_hash,
                                     Reading reading = Reading::kStatement);
/// The receiver row with that URL, to the letter. Likewise.
std::optional<Connection> FindReceiverBySite(const std::string& site_url,
                                             Reading reading = Reading::kStatement);

/// The row of that direction with that token hash, whatever its status. Likewise.
std::optional<Connection> FindByTokenHash(Direction direction, const std::string& token_hash,
                                          Reading reading = Reading::kStatement);

/// Whether a row of either direction has that token hash.
bool KnowsTokenHash(const std::string& token_hash);

/// Raises 42501 unless the current user is the role that the connection runs as, a member of it, or
/// a superuser: who transfers over it uses its token.
void RequireMayUse(const Connection& connection);

/// The setting "own_url": under which URL the other site reaches this one. Empty: not set.
std::string OwnUrlSetting(const Connection& connection);

/// The columns of the row that decide what its peer may do. Raises for a table's name that cannot
/// be read: the functions that write them check them.
core::Policy PolicyOf(const Connection& connection);

/// A new token, from the strong random source.
std::string NewToken();
/// Whether it could be a token: up to 255 visible ASCII characters.
bool IsToken(const std::string& text);

/// What a receiver keeps to show to the sender.
struct Secrets {
  std::string token;
  std::optional<std::string> password;
};
std::optional<Secrets> ReadSecrets(const std::string& uuid);

}  // namespace pgsync::connection
