// When the next work of each database is due, in shared memory: jobs, automatic syncs, notices,
// expiries. Learned from probes and job workers, which have looked, and from transactions that make
// work; the launcher starts a job worker when it is due, and sleeps otherwise.
#pragma once

#include <vector>

#include "pg/guard.h"

namespace pgsync::session {

/// Makes work of the current database due at that time (TimestampTz), or earlier if it is, once the
/// transaction commits; dropped at ROLLBACK, also of the subtransaction.
void publish_due_at_commit(int64 due_at) noexcept;
/// The same at once. Raises nothing: also called at the end of a process.
void advance_due(Oid database, int64 due_at) noexcept;

/// A number that changes whenever someone makes work due, or has looked.
uint64 WorkVersion(Oid database);
/// What a process knows that has looked: the next work is due then; 0: there is none. `version`:
/// what WorkVersion() said before it looked; what was made due, or seen, since then stays so.
void note_due(Oid database, int64 due_at, uint64 version) noexcept;

// ---- for the launcher --------------------------------------------------------------------------

struct DueDatabase {
  Oid database = InvalidOid;
  int64 due_at = 0;  ///< TimestampTz
};
/// The databases that have work, the earliest first.
std::vector<DueDatabase> ListDueDatabases();
/// A worker is going to look: nothing is due until it says so, or others do. Returns how often
/// workers have said so.
uint64 TakeDue(Oid database);
uint64 TimesLooked(Oid database);
/// Forgets a database that is gone.
void ForgetDue(Oid database);

void register_schedule_callbacks();

Size WorkScheduleSize();
void init_work_schedule(void* memory, bool found);

}  // namespace pgsync::session
