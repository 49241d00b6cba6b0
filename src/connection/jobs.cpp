#include "connection/jobs.h"

#include <algorithm>

#include "catalog/names.h"
#include "connection/connection.h"
#include "connection/history.h"
#include "core/json.h"
#include "core/text.h"
#include "pg/encoding.h"
#include "pg/identity.h"
#include "pg/query.h"
#include "session/job_table.h"
#include "session/module.h"
#include "session/work_schedule.h"

extern "C" {
#include "utils/timestamp.h"
}

namespace pgsync::connection {

using core::Cat;
using core::Error;
using pg::CatalogQuery;
using pg::Param;
namespace sqlstate = core::sqlstate;

namespace {

// So many jobs are looked at whose connection is in use, before a worker gives up.
constexpr int kMaxCandidates = 100;

std::string Transfers() {
  return TableOf("sync_transfers");
}

std::vector<std::string> InUtf8(const std::vector<std::string>& texts) {
  std::vector<std::string> converted;
  for (const std::string& text : texts)
    converted.push_back(pg::ToUtf8(text));
  return converted;
}

std::string ToJson(const JobRequest& request) {
  core::JsonWriter json;
  json.BeginObject();
  if (request.tables) json.Field("tables", InUtf8(*request.tables));
  json.Field("exclude", InUtf8(request.exclude)).Field("automatic", request.automatic);
  json.Field("parents", request.parents);
  json.Key("options");
  request.words.Write(json);
  return pg::FromUtf8(json.EndObject().Take());
}

JobRequest FromJson(const std::string& text) {
  const core::JsonDocument document = pg::ParsePeerJson(pg::ToUtf8(text), "job");
  const core::JsonObject json(document, "job");
  JobRequest request;
  if (json.Has("tables")) request.tables = json.Strings("tables");
  request.exclude = json.Strings("exclude");
  request.parents = json.BoolOr("parents", false);
  request.automatic = json.BoolOr("automatic", false);
  request.words = core::TransferWords::Read(json.Object("options"));
  return request;
}

// For those who wait for the end of a job, after COMMIT.
void Notify(const std::string& uuid, const char* status) {
  CatalogQuery("SELECT pg_notify('sync_transfer', $1 || ' ' || $2)",
               {Param::OfText(uuid), Param::OfText(std::string(status))});
}

int64 Now() {
  return pg::Call([] { return GetCurrentTimestamp(); });
}

}  // namespace

std::string AddJob(const std::string& connection_uuid, const std::string& site_url,
                   const std::string& run_as, const JobRequest& request) {
  const std::string table = Transfers();
  const std::string job = ToJson(request);
  pg::UserScope owner(catalog::ExtensionOwner());
  const auto pending =
      CatalogQuery(Cat("SELECT uuid FROM ", table,
                       " WHERE job IS NOT NULL AND status = 'pending' AND connection_uuid = "
                       "$1::uuid AND run_as = $2 AND job = $3::jsonb ORDER BY inserted_at LIMIT 1"),
                   {Param::OfText(connection_uuid), Param::OfName(run_as), Param::OfText(job)});
  if (!pending.empty()) return pending[0].Text(0);
  const auto added = CatalogQuery(
      Cat("INSERT INTO ", table,
          " (direction, connection_uuid, remote_site_url, table_name, conflict_strategy, "
          "initiated_by, run_as, job, next_attempt_at) "
          "VALUES ('receive', $1::uuid, $2, $3, $4, $5, $5, $6::jsonb, clock_timestamp()) "
          "RETURNING uuid"),
      {Param::OfText(connection_uuid), Param::OfText(site_url),
       Param::OfText(TablesForDisplay(request.tables)), Param::OfText(request.words.strategy),
       Param::OfName(run_as), Param::OfText(job)});
  const int64 now = Now();
  session::publish_due_at_commit(now);
  return added.at(0).Text(0);
}

std::optional<Job> ClaimJob() {
  const std::string table = Transfers();
  pg::UserScope owner(catalog::ExtensionOwner());
  const auto candidates = CatalogQuery(
      Cat("SELECT uuid, coalesce(connection_uuid, uuid) FROM ", table,
          " WHERE job IS NOT NULL AND status = 'pending' AND next_attempt_at <= "
          "clock_timestamp() AND ",
          session::EnabledCondition(), " ORDER BY next_attempt_at, inserted_at, uuid LIMIT $1"),
      {Param::OfInt8(kMaxCandidates)});
  for (const pg::Row& candidate : candidates) {
    if (!session::ReserveJob(candidate.Text(1), candidate.Text(0))) continue;
    const auto claimed = CatalogQuery(
        Cat("UPDATE ", table,
            " SET status = 'in_progress', attempts = attempts + 1, worker_pid = $2, worker_start = "
            "$3, started_at = coalesce(started_at, clock_timestamp()) WHERE uuid = (SELECT uuid "
            "FROM ",
            table,
            " WHERE uuid = $1::uuid AND status = 'pending' FOR NO KEY UPDATE SKIP LOCKED) "
            "RETURNING uuid, connection_uuid, run_as, attempts, job"),
        {Param::OfText(candidate.Text(0)), Param::OfInt8(MyProcPid),
         Param::OfTimestamp(MyStartTimestamp)});
    if (claimed.empty()) {
      session::release_job();
      continue;
    }
    const pg::Row& row = claimed[0];
    Job job;
    job.uuid = row.Text(0);
    job.connection = row.Optional(1);
    job.run_as = row.Text(2);
    job.attempts = static_cast<int>(row.Int8(3));
    try {
      job.request = FromJson(row.Text(4));
    } catch (const Error& error) {
      // Restored from elsewhere, or changed by hand: it must not keep the others waiting.
      EndJob(job, JobEnd::kFailed, error.message());
      session::release_job();
      continue;
    }
    return job;
  }
  return std::nullopt;
}

void CompleteJob(const Job& job, const session::QueueEntry& done, const std::string& tables_json) {
  const std::string table = Transfers();
  pg::UserScope owner(catalog::ExtensionOwner());
  CatalogQuery(
      Cat("UPDATE ", table,
          " SET status = 'completed', completed_at = clock_timestamp(), error_message = NULL, "
          "worker_pid = NULL, worker_start = NULL, records_transferred = $2, records_created = $3, "
          "records_updated = $4, records_skipped = $5, records_deleted = $6, records_failed = $7, "
          "bytes_transferred = $8, metadata = metadata || jsonb_build_object('tables', $9::jsonb) "
          "WHERE uuid = $1::uuid"),
      {Param::OfText(job.uuid), Param::OfInt8(done.rows), Param::OfInt8(done.created),
       Param::OfInt8(done.updated), Param::OfInt8(done.skipped), Param::OfInt8(done.deleted),
       Param::OfInt8(done.failed), Param::OfInt8(done.bytes), Param::OfText(tables_json)});
  Notify(job.uuid, "completed");
}

void EndJob(const Job& job, JobEnd end, const std::string& error) {
  const std::string table = Transfers();
  const char* status = end == JobEnd::kFailed ? "failed" : "cancelled";
  pg::UserScope owner(catalog::ExtensionOwner());
  CatalogQuery(Cat("UPDATE ", table,
                   " SET status = $2, completed_at = clock_timestamp(), error_message = $3, "
                   "worker_pid = NULL, worker_start = NULL WHERE uuid = $1::uuid"),
               {Param::OfText(job.uuid), Param::OfText(std::string(status)), Param::OfText(error)});
  Notify(job.uuid, status);
}

void RetryJob(const Job& job, const std::string& error, int64 wait_ms) {
  const std::string table = Transfers();
  pg::UserScope owner(catalog::ExtensionOwner());
  CatalogQuery(Cat("UPDATE ", table,
                   " SET status = 'pending', error_message = $2, worker_pid = NULL, worker_start = "
                   "NULL, next_attempt_at = clock_timestamp() + $3 * interval '1 millisecond' "
                   "WHERE uuid = $1::uuid"),
               {Param::OfText(job.uuid), Param::OfText(error), Param::OfInt8(wait_ms)});
}

void RecoverJobs() {
  const std::string table = Transfers();
  pg::UserScope owner(catalog::ExtensionOwner());
  const auto rows = CatalogQuery(Cat("SELECT uuid, attempts FROM ", table,
                                     " WHERE job IS NOT NULL AND status = 'in_progress'"));
  // After the query: a worker is in the list before others can see its claim.
  const auto running = session::ListRunningJobs();
  for (const pg::Row& row : rows) {
    const std::string uuid = row.Text(0);
    if (std::find(running.begin(), running.end(), uuid) != running.end()) continue;
    const bool again = row.Int8(1) < kMaxAttempts;
    const auto recovered = CatalogQuery(
        Cat("UPDATE ", table,
            " SET worker_pid = NULL, worker_start = NULL, next_attempt_at = clock_timestamp(), "
            "status = CASE WHEN $3 THEN 'pending' ELSE 'failed' END, "
            "completed_at = CASE WHEN NOT $3 THEN clock_timestamp() END, "
            "error_message = 'worker of the job has ended before the job' "
            "WHERE uuid = $1::uuid AND status = 'in_progress' AND attempts = $2 RETURNING uuid"),
        {Param::OfText(uuid), Param::OfInt8(row.Int8(1)), Param::OfBool(again)});
    if (!recovered.empty() && !again) Notify(uuid, "failed");
  }
}

std::optional<int64> NextJob() {
  const std::string table = Transfers();
  pg::UserScope owner(catalog::ExtensionOwner());
  const auto rows = CatalogQuery(
      Cat("SELECT min(CASE WHEN status = 'pending' THEN next_attempt_at ELSE clock_timestamp() "
          "END) FROM ",
          table,
          " t WHERE job IS NOT NULL AND (status = 'in_progress' AND uuid <> ALL ($1::uuid[]) "
          "OR status = 'pending' AND NOT EXISTS (SELECT FROM ",
          table,
          " r WHERE r.connection_uuid = t.connection_uuid AND r.job IS NOT NULL "
          "AND r.status = 'in_progress'))"),
      {Param::OfTexts(session::ListRunningJobs())});
  return rows.at(0).OptionalTimestamp(0);
}

namespace {

struct CancelledRow {
  std::string status;
  bool is_job = false;
  int64 attempts = 0;
};

// A transfer that the current user may cancel.
CancelledRow ReadToCancel(const std::string& uuid) {
  const std::string table = Transfers();
  const bool all = pg::Call([] { return superuser(); });
  const std::string user = pg::RoleName(GetUserId());
  pg::UserScope owner(catalog::ExtensionOwner());
  const auto rows = CatalogQuery(
      Cat("SELECT status, job IS NOT NULL, attempts FROM ", table,
          " WHERE uuid = $1::uuid AND ($2 OR EXISTS (SELECT FROM pg_roles r WHERE r.rolname = "
          "coalesce(run_as, initiated_by) AND pg_has_role($3, r.oid, 'MEMBER')))"),
      {Param::OfText(uuid), Param::OfBool(all), Param::OfName(user)});
  if (rows.empty()) {
    throw Error(sqlstate::kNotFound, Cat("transfer ", uuid, " not_found"))
        .WithHint("Transfers are listed in sync_transfer_list.");
  }
  return {rows[0].Text(0), rows[0].Bool(1), rows[0].Int8(2)};
}

// False where the row is not any more what it was.
bool CancelRow(const std::string& uuid, const CancelledRow& row) {
  const std::string table = Transfers();
  pg::UserScope owner(catalog::ExtensionOwner());
  const auto cancelled =
      CatalogQuery(Cat("UPDATE ", table,
                       " SET status = 'cancelled', completed_at = clock_timestamp(), worker_pid = "
                       "NULL, worker_start = NULL WHERE uuid = $1::uuid AND status = $2 AND "
                       "attempts = $3 RETURNING uuid"),
                   {Param::OfText(uuid), Param::OfText(row.status), Param::OfInt8(row.attempts)});
  if (!cancelled.empty() && row.is_job) Notify(uuid, "cancelled");
  return !cancelled.empty();
}

}  // namespace

void CancelTransfer(const std::string& uuid) {
  RequireAvailable();
  for (;;) {
    const CancelledRow row = ReadToCancel(uuid);
    const bool waits =
        row.status == "pending" || row.status == "pending_approval" || row.status == "approved";
    const bool running = row.status == "in_progress" && row.is_job;
    if (running) {
      const session::CancelResult result = session::CancelRunningJob(uuid);
      if (result == session::CancelResult::kCancelled) return;
      // Else its worker has vanished, and nobody has looked after it yet.
      if (result == session::CancelResult::kEnding) break;
    }
    if (!waits && !running) {
      if (row.status != "in_progress") break;
      throw Error(sqlstate::kNotInPrerequisiteState,
                  Cat("transfer ", uuid, " is being served to its peer"))
          .WithHint("End the peer with sync_terminate_peer().");
    }
    // Meanwhile a worker may have taken it, or brought it to its end.
    if (CancelRow(uuid, row)) return;
  }
  throw Error(sqlstate::kNotInPrerequisiteState, Cat("transfer ", uuid, " has ended already"));
}

}  // namespace pgsync::connection
