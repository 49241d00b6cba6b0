// A job worker: started by the launcher when work of its database is due, it does what is to be
// done regularly, takes at most one job or else tells other sites what they have to know, and ends.
// One job only, for nothing that the role of one has left in the process may be there for
// another's.
#include <algorithm>
#include <optional>

#include "connection/approvals.h"
#include "connection/auto_sync.h"
#include "connection/connection.h"
#include "connection/due_work.h"
#include "connection/expiry.h"
#include "connection/jobs.h"
#include "job/notice_job.h"
#include "job/own_transaction.h"
#include "job/transfer_job.h"
#include "pg/settings.h"
#include "server/role_settings.h"
#include "session/job_table.h"
#include "session/module.h"
#include "session/work_schedule.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "commands/extension.h"
#include "mb/pg_wchar.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "tcop/tcopprot.h"
#include "utils/timestamp.h"

PGDLLEXPORT void pgsync_job_worker_main(Datum argument);
}

namespace pgsync::job {

namespace {

// What is due and could not be done (its row is locked, its connection in use) is tried again so
// much later.
constexpr int kLaterMs = 2000;
constexpr int kNoticesAtOnce = 5;

bool MayWork() {
  return OidIsValid(pg::Call([] { return get_extension_oid("sync", true); })) &&
         connection::Available() && session::ReadModuleState().enabled;
}

int64 Later() {
  return pg::Call([] { return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kLaterMs); });
}

// Tells when a worker is needed next. `idle`: this one has found nothing that it could do.
void NoteNext(bool idle) {
  const uint64 version = session::WorkVersion(MyDatabaseId);
  int64 due_at = 0;
  InOwnTransaction([&] { due_at = connection::NextDue(); });
  if (idle && due_at != 0) due_at = std::max(due_at, Later());
  session::note_due(MyDatabaseId, due_at, version);
}

// Not all at once: a site that is silent takes its time.
void TellSites() {
  int told = 0;
  while (told < kNoticesAtOnce && SendDueNotice()) {
    pg::CheckInterrupts();
    told++;
  }
  if (told > 0) NoteNext(false);
}

void RunWorker(Oid database) {
  const server::RoleSettings settings;
  pg::Call([&] {
    BackgroundWorkerInitializeConnectionByOid(database, BOOTSTRAP_SUPERUSERID, 0);
    pgstat_report_appname("sync job worker");
  });
  // Whatever is locked for long must not keep a worker from the jobs of others.
  server::SetSetting("lock_timeout", std::to_string(pg::settings::lock_timeout_ms));
  bool may_work = false;
  const uint64 version = session::WorkVersion(MyDatabaseId);
  InOwnTransaction([&] {
    // What other sites answer is read in UTF-8, also where no transaction is open.
    pg::Call([] {
      if (PrepareClientEncoding(PG_UTF8) >= 0) (void)SetClientEncoding(PG_UTF8);
    });
    may_work = MayWork();
  });
  if (!may_work) {
    session::note_due(MyDatabaseId, 0, version);
    return;
  }
  if (!session::EnterJobTable()) {
    session::note_due(MyDatabaseId, Later(), version);
    return;
  }
  InOwnTransaction([] {
    connection::RecoverJobs();
    connection::FailAbandonedApprovals();
    connection::ExpireConnections();
    connection::ExpireApprovals();
    connection::PlanAutoSyncs();
  });
  std::optional<connection::Job> job;
  InOwnTransaction([&] { job = connection::ClaimJob(); });
  NoteNext(!job);
  if (job) {
    RunTransferJob(*job, settings);
    session::release_job();
    NoteNext(false);
  } else {
    TellSites();
  }
  session::LeaveJobTable();
}

}  // namespace
}  // namespace pgsync::job

void pgsync_job_worker_main(Datum argument) {
  pqsignal(SIGINT, pgsync::session::handle_job_cancel);
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  const Oid database = DatumGetObjectId(argument);
  pgsync::pg::Enter([database] { pgsync::job::RunWorker(database); });
}
