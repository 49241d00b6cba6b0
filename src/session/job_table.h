// The job workers that run, each with what it does, in shared memory: so that no connection is used
// by two of them, and that a job can be cancelled.
#pragma once

#include <string>
#include <vector>

#include "pg/guard.h"

namespace pgsync::session {

/// Why a job is to end before its time.
enum class JobStop {
  kNone,
  kCancelled,
  kConnectionEnded,  ///< its connection was suspended, revoked, deleted or changed
};

// ---- for a job worker --------------------------------------------------------------------------

/// Makes this process a job worker; it stops being one when it ends, however it ends. False: there
/// is no room.
bool EnterJobTable();
/// It has told when a worker is needed next. Where one that has taken something ends without that,
/// another is going to look.
void LeaveJobTable();
/// For SIGINT. What stops a job is noted, and interrupts nothing but the job itself, between
/// BeginJob() and HoldJob(): the transactions around it have to be brought to their end.
void handle_job_cancel(int signal);
/// Takes a job of the current database, or a notice, under what no two of them may use at a time.
/// False where another worker does.
bool ReserveJob(const std::string& connection, const std::string& transfer);
/// From here on the job is interrupted where it is stopped. Returns whether it was before.
JobStop BeginJob();
/// From here on it is not. Returns whether it was stopped until now.
JobStop HoldJob();
/// From here on the job cannot be stopped any more, nor is it interrupted. Returns whether it was.
JobStop CloseJobToCancel();
/// Lets the connection go.
void release_job() noexcept;

// ---- for everyone ------------------------------------------------------------------------------

enum class CancelResult { kCancelled, kEnding, kNotRunning };
/// Cancels what the worker does that runs this transfer, unless it is ending anyway.
CancelResult CancelRunningJob(const std::string& transfer);
/// Stops what workers do over that connection of the current database, unless it is ending anyway.
/// Raises nothing.
void stop_connection_jobs(const char* connection) noexcept;
/// Ends the job workers of a database. Raises nothing.
void terminate_database_jobs(Oid database) noexcept;
/// The transfers of the current database that workers run, and the notices that they tell.
std::vector<std::string> ListRunningJobs();

Size JobTableSize();
void init_job_table(void* memory, bool found);

}  // namespace pgsync::session
