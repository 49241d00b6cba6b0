#include "connection/notices.h"

#include <chrono>

#include "catalog/names.h"
#include "core/backoff.h"
#include "core/text.h"
#include "pg/identity.h"
#include "pg/query.h"
#include "session/job_table.h"
#include "session/launcher_state.h"
#include "session/module.h"
#include "session/work_schedule.h"

extern "C" {
#include "utils/acl.h"
#include "utils/timestamp.h"
}

namespace pgsync::connection {

using core::Cat;
using pg::CatalogQuery;
using pg::Param;

namespace {

constexpr std::chrono::seconds kFirstRetry{5};
constexpr std::chrono::hours kLongestRetry{1};
// So many notices are looked at whose connection is being told of something else.
constexpr int kMaxCandidates = 100;

// Notes that a notice, whose row is locked, is being told now.
Notice Take(const pg::Row& row) {
  Notice notice;
  notice.uuid = row.Text(0);
  notice.direction = row.Text(1) == "sender" ? Direction::kSender : Direction::kReceiver;
  notice.site_url = row.Text(2);
  notice.own_url = row.Text(3);
  notice.auth_token_hash = row.Text(4);
  notice.action = row.Text(5);
  notice.attempts = static_cast<int>(row.Int8(6)) + 1;
  const std::string run_as = row.Text(7);
  notice.by_superuser = pg::Call([&] {
    const Oid role = get_role_oid(run_as.c_str(), true);
    return OidIsValid(role) && superuser_arg(role);
  });
  const auto wait = core::BackoffAfter(notice.attempts, kFirstRetry, kLongestRetry);
  CatalogQuery(Cat("UPDATE ", TableOf("sync_notices"),
                   " SET attempts = attempts + 1, next_attempt_at = clock_timestamp() + "
                   "make_interval(secs => $2) WHERE uuid = $1::uuid"),
               {Param::OfText(notice.uuid), Param::OfInt8(wait.count() / 1000)});
  return notice;
}

}  // namespace

void NoteForSite(const Connection& connection, const char* action) {
  if (!connection.auth_token_hash) return;  // by which the site would know it
  if (session::GetLauncherInfo().pid == 0) {
    pg::Call([] {
      ereport(WARNING,
              (errmsg("the other site is not told before sync runs in this server"),
               errhint("Add sync to shared_preload_libraries and restart, or tell it yourself.")));
    });
  }
  const std::string table = TableOf("sync_notices");
  const std::string role = pg::RoleName(GetUserId());
  pg::UserScope owner(catalog::ExtensionOwner());
  CatalogQuery(Cat("DELETE FROM ", table, " WHERE site_url = $1 AND auth_token_hash = $2"),
               {Param::OfText(connection.site_url), Param::OfText(connection.auth_token_hash)});
  CatalogQuery(Cat("INSERT INTO ", table,
                   " (connection_uuid, direction, site_url, own_url, auth_token_hash, action, "
                   "run_as) VALUES ($1::uuid, $2, $3, nullif($4, ''), $5, $6, $7)"),
               {Param::OfText(connection.uuid),
                Param::OfText(std::string(DirectionName(connection.direction))),
                Param::OfText(connection.site_url), Param::OfText(OwnUrlSetting(connection)),
                Param::OfText(connection.auth_token_hash), Param::OfText(std::string(action)),
                Param::OfName(role)});
  session::publish_due_at_commit(pg::Call([] { return GetCurrentTimestamp(); }));
}

std::optional<Notice> TakeDueNotice() {
  if (!Available()) return std::nullopt;
  const std::string table = TableOf("sync_notices");
  pg::UserScope owner(catalog::ExtensionOwner());
  const auto candidates =
      CatalogQuery(Cat("SELECT uuid, left(auth_token_hash, 36) FROM ", table,
                       " WHERE next_attempt_at <= clock_timestamp() AND ",
                       session::EnabledCondition(), " ORDER BY next_attempt_at LIMIT $1"),
                   {Param::OfInt8(kMaxCandidates)});
  for (const pg::Row& candidate : candidates) {
    // What a site was told before may not have arrived.
    if (!session::ReserveJob(candidate.Text(1), candidate.Text(0))) continue;
    const auto rows = CatalogQuery(
        Cat("SELECT uuid, direction, site_url, own_url, auth_token_hash, action, attempts, run_as "
            "FROM ",
            table,
            " WHERE uuid = $1::uuid AND next_attempt_at <= clock_timestamp() "
            "FOR UPDATE SKIP LOCKED"),
        {Param::OfText(candidate.Text(0))});
    if (!rows.empty()) return Take(rows[0]);
    session::release_job();
  }
  return std::nullopt;
}

void FinishNotice(const Notice& notice, bool settled, const std::string& reason) {
  const std::string table = TableOf("sync_notices");
  pg::UserScope owner(catalog::ExtensionOwner());
  CatalogQuery(Cat("UPDATE ", table, " SET last_error = $2 WHERE uuid = $1::uuid"),
               {Param::OfText(notice.uuid), Param::OfText(reason)});
  CatalogQuery(Cat("DELETE FROM ", table,
                   " WHERE uuid = $1::uuid AND ($2 OR inserted_at < now() - interval '30 days')"),
               {Param::OfText(notice.uuid), Param::OfBool(settled)});
}

std::optional<int64_t> NextNotice() {
  if (!Available()) return std::nullopt;
  const std::string table = TableOf("sync_notices");
  pg::UserScope owner(catalog::ExtensionOwner());
  return CatalogQuery(Cat("SELECT min(next_attempt_at) FROM ", table)).at(0).OptionalTimestamp(0);
}

}  // namespace pgsync::connection
