#include "connection/auto_sync.h"

#include "catalog/names.h"
#include "connection/connection.h"
#include "connection/jobs.h"
#include "core/text.h"
#include "pg/identity.h"
#include "pg/query.h"

namespace pgsync::connection {

using core::Cat;
using pg::CatalogQuery;
using pg::Param;

namespace {

// Receivers whose schedule runs.
std::string Scheduled() {
  return Cat(TableOf("sync_connections"),
             " c WHERE direction = 'receiver' AND status = 'active' AND auto_sync_enabled AND NOT "
             "EXISTS (SELECT FROM ",
             TableOf("sync_transfers"),
             " t WHERE t.connection_uuid = c.uuid AND t.status IN ('pending', 'in_progress') "
             "AND t.job @> '{\"automatic\": true}')");
}

}  // namespace

void PlanAutoSyncs() {
  const std::string connections = TableOf("sync_connections");
  const std::string scheduled = Scheduled();
  const auto due = [&] {
    pg::UserScope owner(catalog::ExtensionOwner());
    return CatalogQuery(
        Cat("UPDATE ", connections,
            " c SET auto_sync_due_at = clock_timestamp() + make_interval(mins => "
            "auto_sync_interval_minutes) FROM (SELECT c.uuid FROM ",
            scheduled,
            " AND coalesce(auto_sync_due_at, '-infinity') <= clock_timestamp() "
            "FOR NO KEY UPDATE SKIP LOCKED) d WHERE c.uuid = d.uuid "
            "RETURNING c.uuid, site_url, run_as, auto_sync_tables, default_conflict_strategy"));
  }();
  for (const pg::Row& row : due) {
    JobRequest request;
    const auto tables = row.Texts(3);
    if (!tables.empty()) request.tables = tables;
    request.words.strategy = row.Text(4);
    request.automatic = true;
    (void)AddJob(row.Text(0), row.Text(1), row.Text(2), request);
  }
}

void NoteAutoSyncEnd(const std::string& connection_uuid, bool failed) {
  const std::string connections = TableOf("sync_connections");
  pg::UserScope owner(catalog::ExtensionOwner());
  if (failed) {
    CatalogQuery(
        Cat("UPDATE ", connections,
            " SET auto_sync_failures = auto_sync_failures + 1, auto_sync_due_at = "
            "clock_timestamp() + least(interval '1 minute' * power(2, least(auto_sync_failures, "
            "20)), greatest(make_interval(mins => auto_sync_interval_minutes), "
            "interval '10 minutes')) WHERE uuid = $1::uuid"),
        {Param::OfText(connection_uuid)});
  } else {
    CatalogQuery(Cat("UPDATE ", connections,
                     " SET auto_sync_failures = 0 WHERE uuid = $1::uuid AND auto_sync_failures "
                     "<> 0"),
                 {Param::OfText(connection_uuid)});
  }
}

std::optional<int64_t> NextAutoSync() {
  const std::string scheduled = Scheduled();
  pg::UserScope owner(catalog::ExtensionOwner());
  return CatalogQuery(
             Cat("SELECT min(coalesce(auto_sync_due_at, clock_timestamp())) FROM ", scheduled))
      .at(0)
      .OptionalTimestamp(0);
}

}  // namespace pgsync::connection
