// The job workers that run, each with what it does, in shared memory: so that no connection is used
// by two of them, and that a job can be cancelled.
#pragma once

#include <string>
#include <vector>

#include "pg/guard.h"

namespace pgsync::session {

// ---- for a job worker --------------------------------------------------------------------------

/// Makes this process a job worker; it stops being one when it ends, however it ends. False: there
/// is no room.
bool EnterJobTable();
/// Takes a job of the current database. False where another worker uses the connection.
bool ReserveJob(const std::string& connection, const std::string& transfer);
/// From here on the job cannot be cancelled any more. Returns whether it was.
bool CloseJobToCancel();
/// Lets the connection go.
void release_job() noexcept;

// ---- for everyone ------------------------------------------------------------------------------

enum class CancelResult { kCancelled, kEnding, kNotRunning };
/// Cancels what the worker does that runs this transfer, unless it is ending anyway.
CancelResult CancelRunningJob(const std::string& transfer);
/// The transfers of the current database that workers run.
std::vector<std::string> ListRunningJobs();

Size JobTableSize();
void init_job_table(void* memory, bool found);

}  // namespace pgsync::session
