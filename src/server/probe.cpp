#include "server/probe.h"

#include <algorithm>
#include <vector>

#include "connection/due_work.h"
#include "pg/query.h"
#include "pg/settings.h"
#include "pg/transaction.h"
#include "server/background_worker.h"
#include "server/database_list.h"
#include "session/database_table.h"
#include "session/module.h"
#include "session/work_schedule.h"

extern "C" {
#include "access/xact.h"
#include "commands/extension.h"
#include "tcop/tcopprot.h"
#include "utils/snapmgr.h"

PGDLLEXPORT void pgsync_probe_main(Datum argument);
}

namespace pgsync::server {

namespace {

using core::Clock;

constexpr std::chrono::hours kRound{1};
constexpr std::chrono::seconds kRetry{5};

session::DatabaseState Look() {
  session::DatabaseState state = session::DatabaseState::kNotInstalled;
  const uint64 version = session::WorkVersion(MyDatabaseId);
  pg::Call([] {
    pg::start_own_transaction();
    PushActiveSnapshot(GetTransactionSnapshot());
  });
  if (OidIsValid(pg::Call([] { return get_extension_oid("sync", true); }))) {
    const session::ModuleState module = session::ReadModuleState();
    state = module.enabled  ? session::DatabaseState::kEnabled
            : module.copied ? session::DatabaseState::kCopied
                            : session::DatabaseState::kDisabled;
  }
  const int64 due_at = state == session::DatabaseState::kEnabled ? connection::NextDue() : 0;
  pg::Call([&] {
    PopActiveSnapshot();
    CommitTransactionCommand();
    session::note_due(MyDatabaseId, due_at, version);
  });
  return state;
}

// Who commits a change tells it at once, and what was there before must not be noted after that: so
// what has been noted is looked at again.
void ProbeDatabase() {
  session::DatabaseState noted = session::DatabaseState::kUnknown;
  for (session::DatabaseState seen = Look(); seen != noted; seen = Look()) {
    pg::CheckInterrupts();
    pg::Call([&] { session::note_database_state(MyDatabaseId, seen); });
    noted = seen;
  }
}

}  // namespace

void ProbeSchedule::FillQueue() {
  const std::vector<session::NamedDatabase> existing = ListDatabases();
  queue_.clear();
  for (const session::NamedDatabase& database : existing) {
    if (pg::settings::DatabaseServed(database.name.c_str())) queue_.push_back(database.oid);
  }
  session::KeepDatabases(existing);
}

bool ProbeSchedule::StartProbe(Oid database) {
  return pg::Call([&] {
    return start_worker("sync probe", "pgsync_probe_main", ObjectIdGetDatum(database), &running_);
  });
}

void ProbeSchedule::Run(bool again) {
  const auto now = Clock::now();
  if (again || now >= next_round_) {
    FillQueue();
    next_round_ = now + kRound;
  }
  if (running_ != nullptr) {
    pid_t pid;
    const bool stopped =
        pg::Call([&] { return GetBackgroundWorkerPid(running_, &pid) == BGWH_STOPPED; });
    if (stopped) {
      pfree(running_);
      running_ = nullptr;
    }
  }
  next_ = next_round_;
  if (running_ != nullptr || queue_.empty()) return;  // its end wakes the launcher
  if (StartProbe(queue_.front())) {
    queue_.pop_front();
  } else {
    next_ = std::min(next_round_, now + kRetry);
  }
}

}  // namespace pgsync::server

void pgsync_probe_main(Datum argument) {
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(argument), InvalidOid, 0);
  pgsync::pg::Enter([] { pgsync::server::ProbeDatabase(); });
}
