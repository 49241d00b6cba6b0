#include "server/served_database.h"

#include <algorithm>

#include "core/text.h"
#include "pg/compat.h"
#include "pg/identity.h"
#include "pg/query.h"
#include "pg/settings.h"
#include "pg/transaction.h"
#include "server/peer_watch.h"
#include "session/module.h"
#include "session/peer_table.h"
#include "session/served_session.h"

extern "C" {
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "mb/pg_wchar.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
}

namespace pgsync::server {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// What no function of the role may get around: SET ROLE and SET SESSION AUTHORIZATION fail, and so
// does, for a peer that reads, whatever would outlast the request (temporary tables, prepared
// statements). The triggers of a table that is written to may need that.
int ContextFor(session::Direction direction) {
  return direction == session::Direction::kSend
             ? SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION
             : SECURITY_LOCAL_USERID_CHANGE;
}

struct RoleFacts {
  bool exists;
  bool superuser;
  int connection_limit;
};

RoleFacts ReadRole(Oid role) {
  return pg::Call([&] {
    RoleFacts facts = {false, false, -1};
    HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
    if (!HeapTupleIsValid(tuple)) return facts;
    auto* form = (Form_pg_authid)GETSTRUCT(tuple);
    facts = {true, form->rolsuper, form->rolconnlimit};
    ReleaseSysCache(tuple);
    return facts;
  });
}

int DatabaseConnectionLimit() {
  return pg::Call([] {
    HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
    if (!HeapTupleIsValid(tuple)) return -1;
    const int limit = ((Form_pg_database)GETSTRUCT(tuple))->datconnlimit;
    ReleaseSysCache(tuple);
    return limit;
  });
}

void RequireRoom(const char* what, int limit, int taken) {
  if (limit < 0 || taken < limit) return;
  throw Error(sqlstate::kTooManyConnections, Cat("too many connections for ", what));
}

}  // namespace

ServedDatabase::ServedDatabase(Oid database, const FindSession& find)
    : request_memory_("sync request") {
  pg::Call([&] {
    BackgroundWorkerInitializeConnectionByOid(database, BOOTSTRAP_SUPERUSERID, 0);
    pgstat_report_appname("sync worker");
  });
  try {
    PassGate(find);
  } catch (...) {
    // Whoever is refused is made to wait: not with what the gate has locked.
    pg::Call([] { AbortCurrentTransaction(); });
    throw;
  }
  if (!session_.connection.empty()) {
    guard_ = std::make_unique<ConnectionGuard>(session_.connection);
  }
}

void ServedDatabase::PassGate(const FindSession& find) {
  pg::Call([] {
    pg::start_own_transaction();
    PushActiveSnapshot(GetTransactionSnapshot());
    pgstat_report_activity(STATE_RUNNING, "admitting a peer");
    // The peer talks in UTF-8, also when there is no transaction in which to look for a conversion.
    if (PrepareClientEncoding(PG_UTF8) >= 0) (void)SetClientEncoding(PG_UTF8);
  });
  SetSetting("search_path", "");
  // What peers say and are told is UTF-8. As the client's encoding its conversion is at hand also
  // where no transaction is, as for a request before the first one.
  SetSetting("client_encoding", "UTF8");
  if (!OidIsValid(pg::Call([] { return get_extension_oid("sync", true); }))) {
    throw NotAdmitted("extension is not installed in that database");
  }
  if (!session::ReadModuleState().enabled) throw NotAdmitted("module disabled in that database");
  SetSetting("lock_timeout", std::to_string(pg::settings::lock_timeout_ms));
  session_ = find();
  // What is disabled from here on ends this peer. Before, it may have been while a lock was waited
  // for.
  if (!session::ReadModuleState().enabled) throw NotAdmitted("module disabled in that database");
  CheckRole();
  role_settings_.Apply(session_.role);
  role_name_ = pg::RoleName(session_.role);
  const char* database = pg::Call([] { return get_database_name(MyDatabaseId); });
  database_name_ = database != nullptr ? database : "";
  pg::Call([] {
    PopActiveSnapshot();
    CommitTransactionCommand();
    pgstat_report_activity(STATE_IDLE, nullptr);
  });
}

// What keeps a login of the role out keeps its peers out, too.
void ServedDatabase::CheckRole() {
  const Oid role = session_.role;
  const RoleFacts facts = ReadRole(role);
  if (!facts.exists) {
    session::MarkSession(session_.id, session::SessionStatus::kFailed);
    throw Error(sqlstate::kInsufficientPrivilege,
                "the role of the session does not exist any more");
  }
  if (!pg::Call([&] { return pg::database_allows(MyDatabaseId, role, ACL_CONNECT); })) {
    throw Error(sqlstate::kInsufficientPrivilege,
                "the role of the session may not connect to its database");
  }
  if (!facts.superuser) {
    RequireRoom("that role", facts.connection_limit, pg::Call([&] {
                                                       return CountUserBackends(role);
                                                     }) + session::CountServing(role, InvalidOid));
    RequireRoom("that database", DatabaseConnectionLimit(),
                pg::Call([] { return CountDBConnections(MyDatabaseId); }) +
                    session::CountServing(InvalidOid, MyDatabaseId));
  }
}

void ServedDatabase::BeginLook() {
  pg::Call([] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
  });
}

void ServedDatabase::EndLook() {
  pg::Call([] {
    PopActiveSnapshot();
    CommitTransactionCommand();
  });
}

void ServedDatabase::AbortLook() {
  pg::Call([] { AbortCurrentTransaction(); });
}

void ServedDatabase::BeginTransaction() {
  const Oid role = session_.role;
  const int context = ContextFor(session_.direction);
  snapshot_at_ = pg::Call([&] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    XactIsoLevel = XACT_REPEATABLE_READ;
    XactReadOnly = true;
    SetUserIdAndSecContext(role, context);
    PushActiveSnapshot(GetTransactionSnapshot());
    const TimestampTz now = GetCurrentTimestamp();
    watch_snapshot(now);
    return now;
  });
  in_transaction_ = true;
  session::SetPeerSnapshot(snapshot_at_);
}

void ServedDatabase::BeginWrite() {
  const Oid role = session_.role;
  const int context = ContextFor(session_.direction);
  pg::Call([&] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    XactIsoLevel = XACT_READ_COMMITTED;
    watch_snapshot(GetCurrentTimestamp());
    if (StatementTimeout > 0) enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
  });
  if (!ReadRole(role).exists) {
    session::MarkSession(session_.id, session::SessionStatus::kFailed);
    throw Error(sqlstate::kInsufficientPrivilege,
                "the role of the session does not exist any more");
  }
  pg::Call([&] {
    SetUserIdAndSecContext(role, context);
    PushActiveSnapshot(GetTransactionSnapshot());
  });
  AssertRole();
}

void ServedDatabase::CommitWrite() {
  AssertRole();  // for the triggers that fire now
  pg::Call([] {
    disable_timeout(STATEMENT_TIMEOUT, false);
    PopActiveSnapshot();
    CommitTransactionCommand();
    watch_snapshot(0);
    pgstat_report_stat(true);
    pgstat_report_activity(STATE_IDLE, nullptr);
  });
  request_memory_.Reset();
}

void ServedDatabase::AbortWrite() {
  pg::Call([] {
    disable_timeout(STATEMENT_TIMEOUT, false);
    watch_snapshot(0);
    AbortCurrentTransaction();
    pgstat_report_activity(STATE_IDLE, nullptr);
  });
  request_memory_.Reset();
}

void ServedDatabase::CountRowsTaken(uint64 rows) {
  session_.rows_taken = session::add_rows_taken(session_.id, rows);
}

void ServedDatabase::AssertRole() const {
  Oid user;
  int context;
  GetUserIdAndSecContext(&user, &context);
  const int wanted = ContextFor(session_.direction);
  if (user != session_.role || (context & wanted) != wanted) {
    throw Error(sqlstate::kInternal, "worker does not act as the role of its session");
  }
}

void ServedDatabase::BeginRequest() {
  if (!in_transaction_) BeginTransaction();
  pg::Call([] {
    SetCurrentStatementStartTimestamp();
    if (StatementTimeout > 0) enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
  });
}

void ServedDatabase::EndRequest() {
  pg::Call([] {
    disable_timeout(STATEMENT_TIMEOUT, false);
    pgstat_report_activity(STATE_IDLEINTRANSACTION, nullptr);
  });
  request_memory_.Reset();
}

}  // namespace pgsync::server
