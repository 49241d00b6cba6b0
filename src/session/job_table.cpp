#include "session/job_table.h"

#include <signal.h>

#include "pg/settings.h"
#include "session/shared_memory.h"
#include "session/work_schedule.h"

extern "C" {
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
}

namespace pgsync::session {

using pg::settings::kMaxJobsLimit;

namespace {

// How soon the job of a worker that has vanished is looked for, and what has waited for it.
constexpr int kLookAgainMs = 1000;

struct JobSlot {
  int pid;  // 0: free
  Oid database;
  bool can_cancel;
  JobStop stop;
  char connection[kUuidTextSize];
  char transfer[kUuidTextSize];  // "": no job
};
static_assert(std::is_trivially_copyable_v<JobSlot>);

JobSlot* slots = nullptr;
int my_slot = -1;
volatile sig_atomic_t held = false;  // this process has a job, and is not to be interrupted
bool took_something = false;

LWLock* lock() {
  return LockOf(SharedTable::kJobs);
}

void free_my_slot() {
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  slots[my_slot].pid = 0;
  slots[my_slot].transfer[0] = '\0';
  LWLockRelease(lock());
  my_slot = -1;
}

void leave_jobs(int, Datum) {
  if (my_slot < 0) return;
  free_my_slot();
  if (took_something) {
    advance_due(MyDatabaseId, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kLookAgainMs));
  }
}

// A worker that is signalled is still there: it leaves its slot under the lock before it ends.
void stop_job(JobSlot& slot, JobStop why) {
  slot.stop = why;
  kill(slot.pid, SIGINT);
}

// The stop that is noted so far.
JobStop look_at_stop(bool close) {
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  const JobStop stop = slots[my_slot].stop;
  if (close) slots[my_slot].can_cancel = false;
  LWLockRelease(lock());
  return stop;
}

// A signal that was sent before may come later still.
JobStop hold(bool close) {
  return pg::Call([&] {
    held = true;
    QueryCancelPending = false;
    return look_at_stop(close);
  });
}

}  // namespace

Size JobTableSize() {
  return mul_size(sizeof(JobSlot), kMaxJobsLimit);
}

void init_job_table(void* memory, bool found) {
  slots = static_cast<JobSlot*>(memory);
  if (!found) memset(memory, 0, JobTableSize());
}

bool EnterJobTable() {
  return pg::Call([] {
    before_shmem_exit(leave_jobs, (Datum)0);
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    for (int i = 0; i < kMaxJobsLimit && my_slot < 0; i++) {
      if (slots[i].pid != 0) continue;
      memset(&slots[i], 0, sizeof(slots[i]));
      slots[i].pid = MyProcPid;
      slots[i].database = MyDatabaseId;
      my_slot = i;
    }
    LWLockRelease(lock());
    return my_slot >= 0;
  });
}

void LeaveJobTable() {
  pg::Call([] { free_my_slot(); });
}

bool ReserveJob(const std::string& connection, const std::string& transfer) {
  return pg::Call([&] {
    bool taken = false;
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    for (int i = 0; i < kMaxJobsLimit; i++) {
      const JobSlot& slot = slots[i];
      if (slot.pid == 0 || slot.database != MyDatabaseId || slot.transfer[0] == '\0') continue;
      if (strcmp(slot.connection, connection.c_str()) == 0) taken = true;
    }
    if (!taken) {
      held = took_something = true;
      JobSlot& mine = slots[my_slot];
      strlcpy(mine.connection, connection.c_str(), sizeof(mine.connection));
      strlcpy(mine.transfer, transfer.c_str(), sizeof(mine.transfer));
      mine.can_cancel = true;
      mine.stop = JobStop::kNone;
    }
    LWLockRelease(lock());
    return !taken;
  });
}

// Time-outs are signals, too.
void handle_job_cancel(int signal) {
  if (held && !get_timeout_indicator(LOCK_TIMEOUT, false) &&
      !get_timeout_indicator(STATEMENT_TIMEOUT, false)) {
    return;
  }
  StatementCancelHandler(signal);
}

JobStop BeginJob() {
  return pg::Call([] {
    held = false;
    return look_at_stop(false);
  });
}

JobStop HoldJob() {
  return hold(false);
}

JobStop CloseJobToCancel() {
  return hold(true);
}

void release_job() noexcept {
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  slots[my_slot].transfer[0] = '\0';
  slots[my_slot].can_cancel = false;
  LWLockRelease(lock());
  held = false;
}

void stop_connection_jobs(const char* connection) noexcept {
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  for (int i = 0; i < kMaxJobsLimit; i++) {
    JobSlot& slot = slots[i];
    if (slot.pid == 0 || slot.database != MyDatabaseId || slot.transfer[0] == '\0' ||
        !slot.can_cancel || strcmp(slot.connection, connection) != 0) {
      continue;
    }
    stop_job(slot, JobStop::kConnectionEnded);
  }
  LWLockRelease(lock());
}

void terminate_database_jobs(Oid database) noexcept {
  if (!SharedMemoryAttached()) return;
  LWLockAcquire(lock(), LW_SHARED);
  for (int i = 0; i < kMaxJobsLimit; i++) {
    if (slots[i].pid != 0 && slots[i].database == database) kill(slots[i].pid, SIGTERM);
  }
  LWLockRelease(lock());
}

CancelResult CancelRunningJob(const std::string& transfer) {
  if (!SharedMemoryAttached()) return CancelResult::kNotRunning;
  return pg::Call([&] {
    CancelResult result = CancelResult::kNotRunning;
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    for (int i = 0; i < kMaxJobsLimit; i++) {
      JobSlot& slot = slots[i];
      if (slot.pid == 0 || slot.database != MyDatabaseId ||
          strcmp(slot.transfer, transfer.c_str()) != 0) {
        continue;
      }
      result = slot.can_cancel ? CancelResult::kCancelled : CancelResult::kEnding;
      if (slot.can_cancel) stop_job(slot, JobStop::kCancelled);
    }
    LWLockRelease(lock());
    return result;
  });
}

std::vector<std::string> ListRunningJobs() {
  struct Uuid {
    char text[kUuidTextSize];
  };
  Uuid found[kMaxJobsLimit];
  const int count = pg::Call([&] {
    int running = 0;
    LWLockAcquire(lock(), LW_SHARED);
    for (int i = 0; i < kMaxJobsLimit; i++) {
      const JobSlot& slot = slots[i];
      if (slot.pid == 0 || slot.database != MyDatabaseId || slot.transfer[0] == '\0') continue;
      memcpy(found[running++].text, slot.transfer, kUuidTextSize);
    }
    LWLockRelease(lock());
    return running;
  });
  std::vector<std::string> transfers;
  for (int i = 0; i < count; i++)
    transfers.emplace_back(found[i].text);
  return transfers;
}

}  // namespace pgsync::session
