#include "connection/queued_entries.h"

#include "catalog/names.h"
#include "connection/approvals.h"
#include "connection/connection.h"
#include "core/text.h"
#include "pg/identity.h"
#include "pg/query.h"

namespace pgsync::connection {

using core::Cat;
using pg::CatalogQuery;
using pg::Param;
using session::EntryKind;
using session::QueueEntry;

namespace {

Param TextOrNull(const char* text) {
  return *text == '\0' ? Param::OfText(std::optional<std::string>())
                       : Param::OfText(std::string(text));
}

Param TimeOrNull(TimestampTz time) {
  return Param::OfTimestamp(time == 0 ? std::nullopt : std::optional<int64_t>(time));
}

int64 Reserve(const QueueEntry& entry) {
  const std::string table = TableOf("sync_connections");
  const auto rows =
      CatalogQuery(Cat("UPDATE ", table,
                       " c SET records_downloaded = c.records_downloaded + r.granted FROM ("
                       "SELECT uuid, CASE WHEN max_records_total IS NULL THEN $2 ELSE "
                       "greatest(0, least($2, max_records_total - records_downloaded)) END "
                       "AS granted FROM ",
                       table,
                       " WHERE uuid = $1::uuid AND direction = 'sender' FOR NO KEY UPDATE) r "
                       "WHERE c.uuid = r.uuid RETURNING r.granted"),
                   {TextOrNull(entry.connection), Param::OfInt8(entry.rows)});
  return rows.empty() ? -1 : rows[0].Int8(0);
}

// Adds to what was downloaded. While records were reserved the connection may have been marked as
// expired for a limit that was not reached, as it turns out: then it is active again.
std::string AddDownloaded(const char* records) {
  const std::string sum = Cat("greatest(0, records_downloaded + ", records, ")");
  return Cat("records_downloaded = ", sum,
             ", status = CASE WHEN status = 'expired' AND records_downloaded >= max_records_total "
             "AND ",
             sum,
             " < max_records_total AND (expires_at IS NULL OR expires_at >= now()) AND "
             "(max_downloads IS NULL OR downloads_used < max_downloads) "
             "THEN 'active' ELSE status END");
}

void Return(const QueueEntry& entry) {
  CatalogQuery(Cat("UPDATE ", TableOf("sync_connections"), " SET ", AddDownloaded("(- $2)"),
                   " WHERE uuid = $1::uuid"),
               {TextOrNull(entry.connection), Param::OfInt8(entry.rows)});
}

// What was reserved before is in records_downloaded already.
void CountServed(const QueueEntry& entry) {
  CatalogQuery(Cat("UPDATE ", TableOf("sync_connections"), " SET ", AddDownloaded("$2 - $3"),
                   ", total_transfers = total_transfers + CASE WHEN $5 THEN 1 ELSE 0 END, "
                   "total_records_transferred = total_records_transferred + $2, "
                   "total_bytes_transferred = total_bytes_transferred + $4, "
                   "last_connected_at = greatest(last_connected_at, $6), "
                   "last_transfer_at = greatest(last_transfer_at, $6) WHERE uuid = $1::uuid"),
               {TextOrNull(entry.connection), Param::OfInt8(entry.rows),
                Param::OfInt8(entry.reserved), Param::OfInt8(entry.bytes),
                Param::OfBool(strcmp(entry.status, "completed") == 0), TimeOrNull(entry.ended_at)});
}

void CountReceived(const QueueEntry& entry) {
  CatalogQuery(Cat("UPDATE ", TableOf("sync_connections"),
                   " SET total_transfers = total_transfers + 1, "
                   "total_records_transferred = total_records_transferred + $2, "
                   "total_bytes_transferred = total_bytes_transferred + $3, "
                   "last_connected_at = greatest(last_connected_at, $4), "
                   "last_transfer_at = greatest(last_transfer_at, $4) WHERE uuid = $1::uuid"),
               {TextOrNull(entry.connection), Param::OfInt8(entry.rows), Param::OfInt8(entry.bytes),
                TimeOrNull(entry.ended_at)});
}

std::vector<Param> RecordParams(const QueueEntry& entry) {
  return {TextOrNull(entry.transfer),
          Param::OfText(std::string(entry.kind == EntryKind::kServed ? "send" : "receive")),
          TextOrNull(entry.connection),
          TextOrNull(entry.session_code),
          TextOrNull(entry.site_url),
          Param::OfText(std::string(entry.table)),
          Param::OfInt8(entry.requested),
          Param::OfInt8(entry.rows),
          Param::OfInt8(entry.created),
          Param::OfInt8(entry.updated),
          Param::OfInt8(entry.skipped),
          Param::OfInt8(entry.deleted),
          Param::OfInt8(entry.failed),
          Param::OfInt8(entry.bytes),
          TextOrNull(entry.strategy),
          Param::OfText(std::string(entry.status)),
          TextOrNull(entry.address),
          TextOrNull(entry.user_agent),
          TextOrNull(entry.error),
          TimeOrNull(entry.started_at),
          TimeOrNull(entry.ended_at),
          TextOrNull(entry.role)};
}

// The row of a transfer that was approved is completed; all others get one of their own. A
// connection that was deleted meanwhile leaves a row without one.
void Record(const QueueEntry& entry) {
  const std::string table = TableOf("sync_transfers");
  CatalogQuery(
      Cat("WITH completed AS (UPDATE ", table,
          " SET records_requested = $7, records_transferred = $8, records_created = $9, "
          "records_updated = $10, records_skipped = $11, records_deleted = $12, "
          "records_failed = $13, bytes_transferred = $14, status = $16, requester_ip = $17::inet, "
          "requester_user_agent = $18, error_message = $19, started_at = $20, completed_at = $21, "
          "worker_pid = NULL, worker_start = NULL "
          "WHERE uuid = $1::uuid AND direction = $2 "
          "AND status IN ('pending', 'approved', 'in_progress') RETURNING uuid) "
          "INSERT INTO ",
          table,
          " (direction, connection_uuid, session_code, remote_site_url, table_name, "
          "records_requested, records_transferred, records_created, records_updated, "
          "records_skipped, records_deleted, records_failed, bytes_transferred, "
          "conflict_strategy, status, requester_ip, requester_user_agent, error_message, "
          "started_at, completed_at, initiated_by) "
          "SELECT $2, (SELECT uuid FROM ",
          TableOf("sync_connections"),
          " WHERE uuid = $3::uuid), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, "
          "$17::inet, $18, $19, $20, $21, $22 WHERE NOT EXISTS (SELECT FROM completed)"),
      RecordParams(entry));
}

}  // namespace

int64 WriteEntry(const QueueEntry& entry) {
  pg::UserScope owner(catalog::ExtensionOwner());
  switch (entry.kind) {
    case EntryKind::kReservation:
      return Reserve(entry);
    case EntryKind::kReturn:
      Return(entry);
      break;
    case EntryKind::kServed:
      CountServed(entry);
      Record(entry);
      break;
    case EntryKind::kReceived:
      CountReceived(entry);
      break;
    case EntryKind::kApproval:
      return WriteApproval(entry);
    case EntryKind::kTransfer:
      Record(entry);
      break;
  }
  return 0;
}

}  // namespace pgsync::connection
