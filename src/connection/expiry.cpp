#include "connection/expiry.h"

#include "catalog/names.h"
#include "connection/connection.h"
#include "core/text.h"
#include "pg/identity.h"
#include "pg/query.h"

namespace pgsync::connection {

using core::Cat;
using pg::CatalogQuery;

int64 ExpireConnections() {
  if (!Available()) return 0;
  const std::string table = TableOf("sync_connections");
  pg::UserScope owner(catalog::ExtensionOwner());
  // As core::ShouldExpire().
  const auto rows = CatalogQuery(
      Cat("UPDATE ", table,
          " SET status = 'expired', updated_at = now() WHERE uuid IN (SELECT uuid FROM ", table,
          " WHERE status = 'active' AND "
          "(expires_at < clock_timestamp() OR downloads_used >= max_downloads OR "
          "records_downloaded >= max_records_total) FOR NO KEY UPDATE SKIP LOCKED) "
          "RETURNING uuid"));
  return static_cast<int64>(rows.size());
}

int64 ExpireApprovals() {
  if (!Available()) return 0;
  const std::string table = TableOf("sync_transfers");
  pg::UserScope owner(catalog::ExtensionOwner());
  const auto rows = CatalogQuery(
      Cat("UPDATE ", table,
          " SET status = 'expired', completed_at = now() WHERE uuid IN (SELECT uuid FROM ", table,
          " WHERE status = 'pending_approval' AND approval_expires_at < clock_timestamp() "
          "FOR NO KEY UPDATE SKIP LOCKED) RETURNING uuid"));
  return static_cast<int64>(rows.size());
}

std::optional<int64_t> NextExpiry() {
  if (!Available()) return std::nullopt;
  const std::string connections = TableOf("sync_connections"),
                    transfers = TableOf("sync_transfers");
  pg::UserScope owner(catalog::ExtensionOwner());
  // One that is used up and still active was locked when it was to expire.
  return CatalogQuery(Cat("SELECT least((SELECT min(CASE WHEN downloads_used >= max_downloads OR "
                          "records_downloaded >= max_records_total THEN clock_timestamp() "
                          "ELSE expires_at END) FROM ",
                          connections,
                          " WHERE status = 'active'), (SELECT min(approval_expires_at) FROM ",
                          transfers, " WHERE status = 'pending_approval'))"))
      .at(0)
      .OptionalTimestamp(0);
}

}  // namespace pgsync::connection
