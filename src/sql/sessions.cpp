// SQL functions over sessions, and over the peers that are connected.
#include <algorithm>

#include "catalog/shareable.h"
#include "core/json.h"
#include "core/text.h"
#include "engine/strategy.h"
#include "pg/encoding.h"
#include "pg/identity.h"
#include "pg/settings.h"
#include "session/launcher_state.h"
#include "session/module.h"
#include "session/peer_table.h"
#include "session/session_table.h"
#include "sql/function.h"

extern "C" {
#include "commands/dbcommands.h"
#include "pgstat.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/timestamp.h"
}

namespace pgsync::sql {

using core::Cat;
using core::Error;
using session::Session;
namespace sqlstate = core::sqlstate;

namespace {

constexpr int64 kMinTtlMs = 1000;
constexpr int64 kMaxTtlMs = INT64CONST(30) * 86400 * 1000;

std::vector<Cell> SessionCells(const Session& session) {
  Cell tables;
  if (session.tables) {
    std::vector<std::string> names;
    for (Oid table : *session.tables) {
      try {
        names.push_back(catalog::NameOfRelation(table).Display());
      } catch (const Error&) {
        names.push_back(std::to_string(table));  // dropped since, or of another database
      }
    }
    tables = TextArrayCell(names);
  }
  return {session.code,
          std::string(session::DirectionName(session.direction)),
          std::string(session::StatusName(session.status)),
          pg::RoleName(session.role),
          session.owner_pid != 0 ? Cell(std::to_string(session.owner_pid)) : Cell(),
          tables,
          TimestampCell(session.created_at),
          TimestampCell(session.connected_at),
          TimestampCell(session.expires_at),
          pg::FromUtf8(session.metadata)};
}

std::vector<Oid> CheckedTables(const std::vector<Oid>& requested) {
  std::vector<Oid> tables;
  for (Oid oid : requested) {
    const catalog::Table table = catalog::ReadTable(oid);
    catalog::RequireReadable(table, true);
    catalog::RequireTransferable(table, true);
    if (std::find(tables.begin(), tables.end(), oid) == tables.end()) tables.push_back(oid);
  }
  return tables;
}

// The role under which a backend was started; InvalidOid if there is no such backend.
Oid RoleOfBackend(int pid) {
  return pg::Call([&] {
    const int count = pgstat_fetch_stat_numbackends();
    for (int i = 1; i <= count; i++) {
      const LocalPgBackendStatus* local = pgstat_fetch_stat_local_beentry(i);
      if (local != nullptr && local->backendStatus.st_procpid == pid &&
          local->backendStatus.st_backendType == B_BACKEND) {
        return local->backendStatus.st_userid;
      }
    }
    return InvalidOid;
  });
}

int CheckedOwner(int64 pid) {
  const Oid role =
      pid > 0 && pid <= PG_INT32_MAX ? RoleOfBackend(static_cast<int>(pid)) : InvalidOid;
  if (!OidIsValid(role)) {
    throw Error(sqlstate::kInvalidParameter, Cat("there is no backend with process ID ", pid))
        .WithHint("See pg_stat_activity.");
  }
  pg::RequireMembership(role, "tying a session to that backend");
  return static_cast<int>(pid);
}

void ReadOptions(const std::string& options, session::NewSession* request) {
  const core::JsonDocument document = core::ParseJson(pg::ToUtf8(options), "session options");
  if (!document.IsObject()) {
    throw Error(sqlstate::kInvalidParameter, "argument \"options\" must be a JSON object");
  }
  for (const auto& member : document.GetObject()) {
    const std::string key = member.name.GetString();
    const bool receives = request->direction == session::Direction::kReceive;
    core::ReceiveLimits unused = core::ReceiveLimits::Default();
    if ((receives ? request->limits : unused).Set(key, member.value)) {
      if (receives) continue;
      throw Error(sqlstate::kInvalidParameter,
                  Cat("session option \"", key, "\" is for the direction \"receive\""))
          .WithHint("A peer of a session with the direction \"send\" reads only.");
    }
    if (key != "owner_pid") {
      throw Error(sqlstate::kInvalidParameter,
                  Cat("unknown session option \"", core::Excerpt(key, 100), "\""))
          .WithHint(Cat("Available options: owner_pid; with the direction \"receive\" also ",
                        core::ReceiveLimits::OptionNames(), "."));
    }
    if (!member.value.IsInt64()) {
      throw Error(sqlstate::kInvalidParameter, "session option \"owner_pid\" must be a number");
    }
    if (request->ttl_ms) {
      throw Error(sqlstate::kInvalidParameter, "a session with a ttl belongs to no backend")
          .WithHint("Give either \"ttl\" or the option \"owner_pid\".");
    }
    request->owner_pid = CheckedOwner(member.value.GetInt64());
  }
}

void RequireEnabled() {
  const session::ModuleState module = session::ReadModuleState();
  if (module.enabled) return;
  if (module.copied) {
    throw Error(sqlstate::kNotInPrerequisiteState, "module disabled in this copy of a database")
        .WithDetail("It was enabled in another database, of which this one is a copy.")
        .WithHint("Run SELECT sync_enable() if this database is to share its tables, too.");
  }
  throw Error(sqlstate::kNotInPrerequisiteState, "module disabled")
      .WithHint("Run SELECT sync_enable().");
}

void RequireServedDatabase() {
  const char* name = pg::Call([] { return get_database_name(MyDatabaseId); });
  if (name != nullptr && pg::settings::DatabaseServed(name)) return;
  throw Error(sqlstate::kNotInPrerequisiteState, "this database is not shared")
      .WithDetail(Cat("The setting sync.databases is \"", pg::settings::databases, "\"."));
}

// A code is of use as soon as the port is free.
void WarnIfNobodyCanCome() {
  if (session::GetLauncherInfo().listening != session::ListenState::kCannotListen) return;
  pg::Call([] {
    ereport(WARNING,
            (errmsg("no peer can come before sync can listen"),
             errhint("See the server log for the reason; sync tries again every 10 seconds.")));
  });
}

// Merges `updates` into the metadata: its own keys for "metadata", one key each for the infos.
std::string MergedMetadata(const std::string& current, const core::JsonValue& updates) {
  core::JsonDocument document = core::ParseJson(current, "metadata of the session");
  auto& allocator = document.GetAllocator();
  auto put = [&](core::JsonValue& object, const core::JsonValue& name,
                 const core::JsonValue& value) {
    object.RemoveMember(name);
    object.AddMember(core::JsonValue(name, allocator), core::JsonValue(value, allocator),
                     allocator);
  };
  for (const auto& member : updates.GetObject()) {
    const std::string key = member.name.GetString();
    if (key == "status") continue;
    if (!member.value.IsObject()) {
      throw Error(sqlstate::kInvalidParameter,
                  Cat("session field \"", key, "\" must be an object"));
    }
    if (key == "metadata") {
      for (const auto& item : member.value.GetObject())
        put(document, item.name, item.value);
      continue;
    }
    auto found = document.FindMember(key);
    if (found == document.MemberEnd() || !found->value.IsObject()) {
      put(document, member.name, member.value);
    } else {
      for (const auto& item : member.value.GetObject())
        put(found->value, item.name, item.value);
    }
  }
  return core::JsonWriter().Value(document).Take();
}

std::optional<session::SessionStatus> RequestedStatus(const core::JsonValue& updates) {
  std::optional<session::SessionStatus> status;
  for (const auto& member : updates.GetObject()) {
    const std::string key = member.name.GetString();
    if (key != "status" && key != "metadata" && key != "sender_info" && key != "receiver_info") {
      throw Error(sqlstate::kInvalidParameter, Cat("unknown session field \"", key, "\""))
          .WithHint("Available fields: status, metadata, sender_info, receiver_info.");
    }
    if (key != "status") continue;
    const std::string word = member.value.IsString() ? member.value.GetString() : "";
    engine::RequireWord("session status", word, {"completed", "failed"});
    status =
        word == "completed" ? session::SessionStatus::kCompleted : session::SessionStatus::kFailed;
  }
  return status;
}

}  // namespace

PGSYNC_FUNCTION(pgsync_create_session) {
  const Args args(fcinfo);
  session::NewSession request;
  const std::string direction = args.Text(0);
  engine::RequireWord("direction", direction, {"send", "receive"});
  request.direction =
      direction == "send" ? session::Direction::kSend : session::Direction::kReceive;
  const auto tables = args.OptionalOids(1);
  const auto ttl = args.OptionalInterval(2);
  if (ttl) {
    request.ttl_ms = ttl->count();
    if (*request.ttl_ms < kMinTtlMs || *request.ttl_ms > kMaxTtlMs) {
      throw Error(sqlstate::kInvalidParameter, "argument \"ttl\" is out of range")
          .WithHint("A session can live from 1 second to 30 days.");
    }
  }
  session::RequireLauncher();
  RequireEnabled();
  RequireServedDatabase();
  ReadOptions(args.Json(3), &request);
  if (tables) request.tables = CheckedTables(*tables);
  WarnIfNobodyCanCome();
  if (pg::Call([] { return superuser(); })) {
    pg::Call([] {
      ereport(WARNING,
              (errmsg("the peer will act as a superuser"),
               errhint("Create the session as a role that may do only what the peer needs.")));
    });
  }
  return RowResult(fcinfo, SessionCells(session::CreateSession(request)));
}

PGSYNC_SECRET_FUNCTION(pgsync_get_session) {
  return RowResult(fcinfo, SessionCells(session::GetOwnSession(Args(fcinfo).Text(0))));
}

PGSYNC_SECRET_FUNCTION(pgsync_validate_code) {
  return RowResult(fcinfo, SessionCells(session::ValidateOwnSession(Args(fcinfo).Text(0))));
}

PGSYNC_SECRET_FUNCTION(pgsync_update_session) {
  const Args args(fcinfo);
  const std::string code = args.Text(0);
  const core::JsonDocument updates = core::ParseJson(pg::ToUtf8(args.Json(1)), "session updates");
  if (!updates.IsObject()) {
    throw Error(sqlstate::kInvalidParameter, "argument \"updates\" must be a JSON object");
  }
  const auto status = RequestedStatus(updates);
  const std::string metadata = MergedMetadata(session::GetOwnSession(code).metadata, updates);
  return RowResult(fcinfo, SessionCells(session::UpdateOwnSession(code, status, metadata)));
}

PGSYNC_SECRET_FUNCTION(pgsync_delete_session) {
  session::DeleteOwnSession(Args(fcinfo).Text(0));
  PG_RETURN_VOID();
}

PGSYNC_FUNCTION(pgsync_sessions) {
  SetResult result(fcinfo);
  for (const Session& session : session::ListOwnSessions())
    result.Add(SessionCells(session));
  return result.Done();
}

PGSYNC_FUNCTION(pgsync_peers) {
  SetResult result(fcinfo);
  for (const session::Peer& peer : session::ListPeers()) {
    const bool visible = pg::Call([&] {
      return superuser() || (OidIsValid(peer.role) && is_member_of_role(GetUserId(), peer.role));
    });
    if (!visible) continue;
    struct {
      TransactionId xmin;
      int64 age_ms;
      const char* database;
    } facts = pg::Call([&] {
      decltype(facts) found = {InvalidTransactionId, 0, nullptr};
      const PGPROC* proc = peer.pid != 0 ? BackendPidGetProc(peer.pid) : nullptr;
      if (proc != nullptr) found.xmin = proc->xmin;
      if (peer.snapshot_at != 0) found.age_ms = (GetCurrentTimestamp() - peer.snapshot_at) / 1000;
      if (OidIsValid(peer.database)) found.database = get_database_name(peer.database);
      return found;
    });
    const std::string& session = peer.code.empty() ? peer.connection : peer.code;
    std::string state;
    switch (peer.state) {
      case session::PeerState::kStarting:
        state = "starting";
        break;
      case session::PeerState::kPending:
        state = "authenticating";
        break;
      default:
        state = peer.activity;
    }
    result.Add(
        {peer.pid != 0 ? Cell(std::to_string(peer.pid)) : Cell(), peer.address,
         OidIsValid(peer.role) ? Cell(pg::RoleName(peer.role)) : Cell(),
         facts.database ? Cell(facts.database) : Cell(), session.empty() ? Cell() : Cell(session),
         state,
         peer.snapshot_at != 0 ? IntervalCell(std::chrono::milliseconds(facts.age_ms)) : Cell(),
         TransactionIdIsValid(facts.xmin) ? Cell(std::to_string(facts.xmin)) : Cell(),
         std::to_string(peer.bytes), TimestampCell(peer.connected_at)});
  }
  return result.Done();
}

PGSYNC_FUNCTION(pgsync_terminate_peer) {
  return BoolGetDatum(session::TerminatePeer(Args(fcinfo).Int4(0)));
}

}  // namespace pgsync::sql
