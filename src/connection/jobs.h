// Jobs: transfers that a worker does for someone, as rows of sync_transfers. For workers and
// functions; read and written as the extension's owner.
//
//   pending -> in_progress             a worker has claimed it; committed before the work
//   in_progress -> completed           with the transfer's own transaction
//   in_progress -> failed, cancelled   after its rollback
//   in_progress -> pending             to be tried again: the peer was lost, or the worker
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connection/connection.h"
#include "core/transfer_words.h"
#include "pg/guard.h"
#include "session/writer_queue.h"

namespace pgsync::connection {

/// What a job is to do.
struct JobRequest {
  std::optional<std::vector<std::string>> tables;  ///< nullopt: all that the peer shows
  std::vector<std::string> exclude;
  bool parents = false;  ///< and those that these refer to
  core::TransferWords words;
  bool automatic = false;  ///< made by the schedule of its connection
};

struct Job {
  std::string uuid;
  std::optional<std::string> connection;  ///< uuid; nullopt: it was deleted
  std::string run_as;
  int attempts = 0;  ///< this one included
  JobRequest request;
};

/// Notes a job in the current transaction, to be run as `run_as` once that has committed, and
/// returns its uuid. Where an equal one is pending, that is the job.
std::string AddJob(const std::string& connection_uuid, const std::string& site_url,
                   const std::string& run_as, const JobRequest& request);

/// The next job that is due and whose connection no worker uses, claimed for this process (which is
/// in session/job_table.h). The claim counts once the current transaction has committed.
std::optional<Job> ClaimJob();

/// The job is done: to be committed with what it did. `done` has the counts, `tables_json` those of
/// each table, for the metadata.
void CompleteJob(const Job& job, const session::QueueEntry& done, const std::string& tables_json);
enum class JobEnd { kFailed, kCancelled };
/// It is over, without anything done.
void EndJob(const Job& job, JobEnd end, const std::string& error);
/// It will be tried again, after `wait_ms`.
void RetryJob(const Job& job, const std::string& error, int64 wait_ms);

/// Attempts that a job has.
inline constexpr int kMaxAttempts = 3;

/// Jobs whose worker is gone become pending again, or failed after kMaxAttempts.
void RecoverJobs();
/// When the next job is due (TimestampTz); nullopt: there is none.
std::optional<int64> NextJob();

/// Cancels a transfer that has not ended: at once where a worker runs it, else at COMMIT. Raises
/// P0002 for an unknown one and another role's, 55000 for one that has ended.
void CancelTransfer(const std::string& uuid);

}  // namespace pgsync::connection
