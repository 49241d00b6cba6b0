#include "server/stranger_work.h"

#include "connection/connection.h"
#include "core/text.h"
#include "pg/guard.h"
#include "pg/transaction.h"
#include "pg/wait.h"
#include "server/guess_guard.h"
#include "server/log.h"
#include "server/worker_exit.h"
#include "session/module.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "commands/extension.h"
#include "mb/pg_wchar.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
}

namespace pgsync::server {

using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

constexpr const char* kSettings[][2] = {
    {"search_path", ""}, {"client_encoding", "UTF8"}, {"lock_timeout", "5s"}};

[[noreturn]] void RefuseStranger(const core::IpAddress& address, const char* reason) {
  AfterWrongGuess(address, reason);
  throw Error(sqlstate::kInvalidAuthorization,
              "there is no such site here, or sync is not enabled in its database")
      .WithDetail("The database is unknown, or takes no connections now.");
}

void Connect(Oid database, const net::Stream& stream) {
  exit_state.unanswered_socket = stream.encrypted() ? -1 : stream.fd();
  pg::Call([&] {
    BackgroundWorkerInitializeConnectionByOid(database, BOOTSTRAP_SUPERUSERID, 0);
    pgstat_report_appname("sync worker");
  });
  exit_state.unanswered_socket = -1;
}

void Begin() {
  pg::Call([] {
    pg::start_own_transaction();
    PushActiveSnapshot(GetTransactionSnapshot());
    pgstat_report_activity(STATE_RUNNING, "answering another site");
    if (PrepareClientEncoding(PG_UTF8) >= 0) (void)SetClientEncoding(PG_UTF8);
    for (const char* const* setting : kSettings) {
      (void)set_config_option(setting[0], setting[1], PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SET,
                              true, 0, false);
    }
  });
}

void Commit() {
  pg::Call([] {
    PopActiveSnapshot();
    CommitTransactionCommand();
    pgstat_report_stat(true);
    pgstat_report_activity(STATE_IDLE, nullptr);
  });
}

}  // namespace

bool DoStrangerWorkIn(const PeerDatabase& database, const net::Stream& stream,
                      const std::function<void()>& work) {
  Connect(database.oid, stream);
  bool usable = false;
  try {
    Begin();
    usable = HasName(database.name) &&
             OidIsValid(pg::Call([] { return get_extension_oid("sync", true); })) &&
             connection::Available() && session::ReadModuleState().enabled;
    if (usable) work();
    Commit();
  } catch (const pg::PgError& error) {
    pg::Call([] { AbortCurrentTransaction(); });
    LogMessage(core::Cat("sync could not answer another site: ", error.message()), error.detail());
    throw Error(sqlstate::kCannotConnectNow, "the site cannot answer now");
  } catch (const Error&) {
    pg::Call([] { AbortCurrentTransaction(); });
    throw;
  }
  return usable;
}

void DoStrangerWork(const std::string& prefix, const net::Stream& stream,
                    const core::IpAddress& address, const std::function<void()>& work) {
  const auto database = FindPeerDatabase(prefix, PathPrefix::kDatabase);
  if (!database) RefuseStranger(address, "unknown database");
  if (!DoStrangerWorkIn(*database, stream, work)) {
    RefuseStranger(address, "module disabled in that database");
  }
}

}  // namespace pgsync::server
