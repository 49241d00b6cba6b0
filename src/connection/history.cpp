#include "connection/history.h"

#include "catalog/names.h"
#include "connection/connection.h"
#include "core/text.h"
#include "pg/identity.h"
#include "pg/query.h"

extern "C" {
#include "utils/acl.h"
#include "utils/timestamp.h"
}

namespace pgsync::connection {

using core::Cat;
using core::Error;
using pg::CatalogQuery;
using pg::Param;
namespace sqlstate = core::sqlstate;

namespace {

struct WaitingTransfer {
  std::optional<std::string> run_as;  ///< of its connection
};

// Locks a transfer that waits for approval.
WaitingTransfer LockWaiting(const std::string& uuid) {
  RequireAvailable();
  const std::string transfers = TableOf("sync_transfers"),
                    connections = TableOf("sync_connections");
  pg::UserScope owner(catalog::ExtensionOwner());
  const auto rows =
      CatalogQuery(Cat("SELECT t.status, t.approval_expires_at < clock_timestamp(), c.run_as FROM ",
                       transfers, " t LEFT JOIN ", connections,
                       " c ON c.uuid = t.connection_uuid WHERE t.uuid = $1::uuid FOR UPDATE OF t"),
                   {Param::OfText(uuid)});
  if (rows.empty()) {
    throw Error(sqlstate::kNotFound, Cat("transfer ", uuid, " not_found"))
        .WithHint("Transfers are listed in sync_transfer_list.");
  }
  const std::string status = rows[0].Text(0);
  const bool late = status == "pending_approval" && rows[0].Bool(1);
  if (status != "pending_approval" || late) {
    throw Error(sqlstate::kNotInPrerequisiteState, "transfer does not wait for approval")
        .WithDetail(late ? std::string("The time in which it could be approved is over.")
                         : Cat("Its status is \"", status, "\"."));
  }
  return {rows[0].Optional(2)};
}

}  // namespace

void ApproveTransfer(const std::string& uuid) {
  const WaitingTransfer transfer = LockWaiting(uuid);
  if (transfer.run_as) {
    const Oid role = pg::Call([&] { return get_role_oid(transfer.run_as->c_str(), true); });
    pg::RequireMembership(role, "that transfer");
  }
  const std::string role = pg::RoleName(GetUserId()), table = TableOf("sync_transfers");
  pg::UserScope owner(catalog::ExtensionOwner());
  CatalogQuery(Cat("UPDATE ", table,
                   " SET status = 'approved', approved_at = now(), approved_by = $2 "
                   "WHERE uuid = $1::uuid"),
               {Param::OfText(uuid), Param::OfName(role)});
}

void DenyTransfer(const std::string& uuid, const std::optional<std::string>& reason) {
  LockWaiting(uuid);
  const std::string role = pg::RoleName(GetUserId()), table = TableOf("sync_transfers");
  pg::UserScope owner(catalog::ExtensionOwner());
  CatalogQuery(Cat("UPDATE ", table,
                   " SET status = 'denied', denied_at = now(), denied_by = $2, "
                   "denial_reason = $3 WHERE uuid = $1::uuid"),
               {Param::OfText(uuid), Param::OfName(role), Param::OfText(reason)});
}

std::string TablesForDisplay(const std::optional<std::vector<std::string>>& tables) {
  return tables ? core::Join(*tables, ", ") : "*";
}

int64 PurgeTransfers(int64 older_than_ms) {
  RequireAvailable();
  const int64 before = pg::Call([&] { return GetCurrentTimestamp() - older_than_ms * 1000; });
  const std::string table = TableOf("sync_transfers");
  pg::UserScope owner(catalog::ExtensionOwner());
  const auto rows =
      CatalogQuery(Cat("WITH gone AS (DELETE FROM ", table,
                       " WHERE status IN ('completed', 'failed', 'denied', 'cancelled', 'expired') "
                       "AND coalesce(completed_at, denied_at, inserted_at) < $1 RETURNING 1) "
                       "SELECT count(*) FROM gone"),
                   {Param::OfTimestamp(before)});
  return rows.at(0).Int8(0);
}

}  // namespace pgsync::connection
