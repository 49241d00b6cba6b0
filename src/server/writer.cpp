#include "server/writer.h"

#include <algorithm>

#include "connection/queued_entries.h"
#include "core/backoff.h"
#include "core/text.h"
#include "pg/subxact.h"
#include "pg/transaction.h"
#include "server/background_worker.h"
#include "server/database_list.h"
#include "server/log.h"
#include "session/taken_entries.h"

extern "C" {
#include "access/xact.h"
#include "commands/extension.h"
#include "pgstat.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

PGDLLEXPORT void pgsync_writer_main(Datum argument);
}

namespace pgsync::server {

namespace {

using core::Clock;
using session::EntryFate;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Of the workers that are counted on (see the launcher), those that are left for writers.
constexpr size_t kMaxWriters = 2;
constexpr seconds kStartRetry{1};
constexpr seconds kFirstBackoff{5};
constexpr std::chrono::minutes kLongestBackoff{10};
// DROP DATABASE waits 5 seconds for processes that are connected to it.
constexpr seconds kLongestRun{2};
constexpr char kLockTimeout[] = "200ms";

// Whether it may work another time: someone has locked the row, or is just deleting the connection.
bool MayWorkLater(const core::SqlState& state) {
  return state == core::sqlstate::kLockNotAvailable || state.Class() == "40" ||
         state == core::sqlstate::kForeignKeyViolation;
}

// Nothing that the entry is to blame for.
bool EndsWriter(const core::SqlState& state) {
  return state.Class() == "53" || state.Class() == "57" || state.Class() == "58";
}

void WriteTaken(int index, std::vector<std::string>* locked) {
  const session::QueueEntry entry = session::GetTakenEntry(index);
  // Its row was not to be had a moment ago.
  if (std::find(locked->begin(), locked->end(), entry.connection) != locked->end()) return;
  try {
    int64 granted = 0;
    pg::InSubXact([&] { granted = connection::WriteEntry(entry); });
    session::settle_entry(index, EntryFate::kWritten, granted);
  } catch (const pg::PgError& error) {
    if (EndsWriter(error.state())) throw;
    if (MayWorkLater(error.state())) {
      locked->push_back(entry.connection);
      return;
    }
    session::settle_entry(index, EntryFate::kDropped, -1);
    LogMessage(core::Cat("sync could not write an entry of the history: ", error.message()),
               error.detail());
  }
}

// False where nothing is queued any more that could be written now.
bool WriteBatch() {
  pg::Call([] {
    pg::start_own_transaction();
    PushActiveSnapshot(GetTransactionSnapshot());
  });
  const int count = session::TakeEntries();
  const bool installed = OidIsValid(pg::Call([] { return get_extension_oid("sync", true); }));
  std::vector<std::string> locked;
  for (int i = 0; i < count; i++) {
    pg::CheckInterrupts();
    if (installed) {
      WriteTaken(i, &locked);
    } else {
      session::settle_entry(i, EntryFate::kDropped, -1);
    }
  }
  pg::Call([] {
    PopActiveSnapshot();
    CommitTransactionCommand();
    pgstat_report_stat(true);
  });
  return count > 0;
}

void RunWriter() {
  session::register_writer_callbacks();
  pg::Call([] {
    pgstat_report_appname("sync writer");
    pgstat_report_activity(STATE_RUNNING, "writing history and counters");
    (void)set_config_option("lock_timeout", kLockTimeout, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SET,
                            true, 0, false);
    (void)set_config_option("statement_timeout", "0", PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SET,
                            true, 0, false);
  });
  const auto end = Clock::now() + kLongestRun;
  while (WriteBatch() && Clock::now() < end)
    pg::CheckInterrupts();
}

}  // namespace

std::vector<WriterSchedule::Running> WriterSchedule::TakeEnded() {
  std::vector<Running> ended;
  for (size_t i = 0; i < running_.size();) {
    const Running& writer = running_[i];
    pid_t pid;
    if (pg::Call([&] { return GetBackgroundWorkerPid(writer.handle, &pid) != BGWH_STOPPED; })) {
      i++;
      continue;
    }
    pfree(writer.handle);
    ended.push_back(writer);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return ended;
}

void WriterSchedule::NoteEnded(const Running& writer,
                               const std::vector<session::WaitingEntries>& waiting) {
  const bool idle = std::any_of(waiting.begin(), waiting.end(), [&](const auto& entries) {
    return entries.database == writer.database && entries.oldest == writer.oldest &&
           entries.postponed == writer.postponed;
  });
  if (!idle) {
    failing_.erase(writer.database);
    return;
  }
  Failing& failing = failing_[writer.database];
  failing.until =
      Clock::now() + core::BackoffAfter(++failing.failures, kFirstBackoff, kLongestBackoff);
}

void WriterSchedule::Start(const session::WaitingEntries& entries) {
  BackgroundWorkerHandle* handle = nullptr;
  const Oid database = entries.database;
  const bool started = pg::Call([&] {
    return start_worker("sync writer", "pgsync_writer_main", ObjectIdGetDatum(database), &handle);
  });
  if (started) {
    running_.push_back({database, handle, entries.oldest, entries.postponed});
  } else {
    next_ = std::min(next_, Clock::now() + kStartRetry);
  }
}

void WriterSchedule::Run() {
  next_ = Clock::time_point::max();
  // In this order: what waits when a writer has ended it has not written.
  const auto ended = TakeEnded();
  const auto waiting = session::ListWaitingEntries();
  for (const Running& writer : ended)
    NoteEnded(writer, waiting);
  if (waiting.empty()) return;
  const auto now = Clock::now();
  std::vector<session::WaitingEntries> due;
  for (const session::WaitingEntries& entries : waiting) {
    const auto failing = failing_.find(entries.database);
    auto at = now + entries.due_in;
    if (failing != failing_.end()) at = std::max(at, failing->second.until);
    const bool running = std::any_of(running_.begin(), running_.end(), [&](const Running& writer) {
      return writer.database == entries.database;
    });
    if (running) continue;  // its end wakes the launcher
    if (at > now) {
      next_ = std::min(next_, at);
    } else {
      due.push_back(entries);
    }
  }
  if (due.empty() || running_.size() >= kMaxWriters) return;
  const auto databases = ListDatabases();
  for (const session::WaitingEntries& entries : due) {
    const bool exists = std::any_of(
        databases.begin(), databases.end(),
        [&](const session::NamedDatabase& name) { return name.oid == entries.database; });
    if (!exists) {
      session::DropEntries(entries.database);
      failing_.erase(entries.database);
    } else if (running_.size() < kMaxWriters) {
      Start(entries);
    }
  }
}

}  // namespace pgsync::server

void pgsync_writer_main(Datum argument) {
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(argument), InvalidOid, 0);
  pgsync::pg::Enter([] { pgsync::server::RunWriter(); });
}
