#include "server/job_schedule.h"

#include <algorithm>

#include "core/backoff.h"
#include "pg/settings.h"
#include "server/background_worker.h"
#include "server/database_list.h"
#include "session/database_table.h"
#include "session/work_schedule.h"

extern "C" {
#include "access/xlog.h"
#include "utils/timestamp.h"
}

namespace pgsync::server {

namespace {

using core::Clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kStartRetry{1};
constexpr seconds kFirstBackoff{5};
constexpr std::chrono::minutes kLongestBackoff{10};
// What is due later may be due beyond what the clock can count ("infinity").
constexpr milliseconds kLongestSleep = std::chrono::hours(1);
// A standby is promoted without telling us.
constexpr std::chrono::minutes kRecoveryLook{1};

int64 Now() {
  return pg::Call([] { return GetCurrentTimestamp(); });
}

// A worker that has not even looked for work could not connect, or has failed.
bool HasLooked(Oid database, uint64 before) {
  return session::TimesLooked(database) != before;
}

}  // namespace

void JobSchedule::NoteEnded() {
  for (size_t i = 0; i < running_.size();) {
    const Running& worker = running_[i];
    pid_t pid;
    if (pg::Call([&] { return GetBackgroundWorkerPid(worker.handle, &pid) != BGWH_STOPPED; })) {
      i++;
      continue;
    }
    if (HasLooked(worker.database, worker.looked)) {
      failures_.erase(worker.database);
    } else {
      const milliseconds wait =
          core::BackoffAfter(++failures_[worker.database], kFirstBackoff, kLongestBackoff);
      session::advance_due(worker.database, Now() + wait.count() * 1000);
    }
    pfree(worker.handle);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

bool JobSchedule::Start(Oid database) {
  BackgroundWorkerHandle* handle = nullptr;
  const uint64 looked = session::TakeDue(database);
  const bool started = pg::Call([&] {
    return start_worker("sync job worker", "pgsync_job_worker_main", ObjectIdGetDatum(database),
                        &handle);
  });
  if (started) {
    running_.push_back({database, handle, looked});
  } else {
    session::advance_due(database, Now() + std::chrono::microseconds(kStartRetry).count());
  }
  return started;
}

void JobSchedule::Run() {
  next_ = Clock::time_point::max();
  NoteEnded();
  const auto limit = static_cast<size_t>(pg::settings::max_jobs);
  if (running_.size() >= limit) return;  // the end of one wakes the launcher
  if (pg::Call([] { return RecoveryInProgress(); })) {
    next_ = Clock::now() + kRecoveryLook;
    return;
  }
  std::vector<session::NamedDatabase> databases;
  const int64 now = Now();
  for (const session::DueDatabase& due : session::ListDueDatabases()) {
    // What is disabled has no work until that changes, which is told.
    if (session::GetDatabaseState(due.database) != session::DatabaseState::kEnabled) continue;
    if (due.due_at > now) {
      const milliseconds wait((due.due_at - now + 999) / 1000);
      next_ = Clock::now() + std::min(wait, kLongestSleep);
      return;
    }
    if (databases.empty()) databases = ListDatabases();
    const auto name = std::find_if(
        databases.begin(), databases.end(),
        [&](const session::NamedDatabase& entry) { return entry.oid == due.database; });
    if (name == databases.end()) {
      session::ForgetDue(due.database);
      failures_.erase(due.database);
    } else if (pg::settings::DatabaseServed(name->name.c_str())) {
      if (running_.size() >= limit || !Start(due.database)) return;
    }
  }
}

}  // namespace pgsync::server
