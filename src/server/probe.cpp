#include "server/probe.h"

#include <algorithm>
#include <vector>

#include "pg/query.h"
#include "pg/settings.h"
#include "server/background_worker.h"
#include "session/database_table.h"
#include "session/module.h"

extern "C" {
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/extension.h"
#include "tcop/tcopprot.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

PGDLLEXPORT void pgsync_probe_main(Datum argument);
}

namespace pgsync::server {

namespace {

using core::Clock;

constexpr std::chrono::hours kRound{1};
constexpr std::chrono::seconds kRetry{5};

struct DatabaseName {
  Oid oid;
  char name[NAMEDATALEN];
};

// All databases that can be connected to.
std::vector<DatabaseName> ListDatabases() {
  struct {
    DatabaseName* entries;
    int count;
  } found = pg::Call([] {
    decltype(found) list = {nullptr, 0};
    int capacity = 0;
    const MemoryContext caller = CurrentMemoryContext;
    StartTransactionCommand();
    (void)GetTransactionSnapshot();
    Relation rel = table_open(DatabaseRelationId, AccessShareLock);
    TableScanDesc scan = table_beginscan_catalog(rel, 0, nullptr);
    while (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection)) {
      auto* form = (Form_pg_database)GETSTRUCT(tuple);
      if (!form->datallowconn || form->datistemplate) continue;
      if (list.count == capacity) {
        capacity = std::max(16, capacity * 2);
        const Size size = sizeof(DatabaseName) * capacity;
        list.entries =
            static_cast<DatabaseName*>(list.entries == nullptr ? MemoryContextAlloc(caller, size)
                                                               : repalloc(list.entries, size));
      }
      list.entries[list.count].oid = form->oid;
      strlcpy(list.entries[list.count].name, NameStr(form->datname), NAMEDATALEN);
      list.count++;
    }
    table_endscan(scan);
    table_close(rel, AccessShareLock);
    CommitTransactionCommand();
    MemoryContextSwitchTo(caller);
    return list;
  });
  std::vector<DatabaseName> databases(found.entries, found.entries + found.count);
  if (found.entries != nullptr) pfree(found.entries);
  return databases;
}

void ProbeDatabase() {
  session::DatabaseState state = session::DatabaseState::kNotInstalled;
  pg::Call([] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
  });
  if (OidIsValid(pg::Call([] { return get_extension_oid("sync", true); }))) {
    const session::ModuleState module = session::ReadModuleState();
    state = module.enabled  ? session::DatabaseState::kEnabled
            : module.copied ? session::DatabaseState::kCopied
                            : session::DatabaseState::kDisabled;
  }
  pg::Call([&] {
    PopActiveSnapshot();
    CommitTransactionCommand();
    session::note_database_state(MyDatabaseId, state);
  });
}

}  // namespace

void ProbeSchedule::FillQueue() {
  std::vector<Oid> existing;
  queue_.clear();
  for (const DatabaseName& database : ListDatabases()) {
    existing.push_back(database.oid);
    if (pg::settings::DatabaseServed(database.name)) queue_.push_back(database.oid);
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
