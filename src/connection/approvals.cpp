#include "connection/approvals.h"

#include <algorithm>

#include "catalog/names.h"
#include "connection/connection.h"
#include "core/text.h"
#include "pg/identity.h"
#include "pg/query.h"
#include "session/peer_table.h"

namespace pgsync::connection {

using core::Cat;
using pg::CatalogQuery;
using pg::Param;
using session::QueueEntry;

namespace {

// In the metadata of a row that was denied or has expired: its peer knows.
constexpr char kAnswered[] = "answered";

ApprovalState StateOf(const std::string& word) {
  if (word == "approved") return ApprovalState::kApproved;
  if (word == "denied") return ApprovalState::kDenied;
  return word == "expired" ? ApprovalState::kExpired : ApprovalState::kPending;
}

int64 Ask(const QueueEntry& entry) {
  CatalogQuery(
      Cat("INSERT INTO ", TableOf("sync_transfers"),
          " (uuid, direction, connection_uuid, remote_site_url, table_name, "
          "records_requested, status, requires_approval, approval_expires_at, "
          "requester_ip, requester_user_agent, initiated_by) "
          "SELECT $1::uuid, 'send', uuid, site_url, $3, $4, 'pending_approval', true, "
          "now() + interval '24 hours', nullif($5, '')::inet, nullif($6, ''), "
          "nullif($7, '') FROM ",
          TableOf("sync_connections"), " WHERE uuid = $2::uuid"),
      {Param::OfText(std::string(entry.transfer)), Param::OfText(std::string(entry.connection)),
       Param::OfText(std::string(entry.table)), Param::OfInt8(entry.requested),
       Param::OfText(std::string(entry.address)), Param::OfText(std::string(entry.user_agent)),
       Param::OfText(std::string(entry.role))});
  return 1;
}

int64 Take(const QueueEntry& entry) {
  const auto rows =
      CatalogQuery(Cat("UPDATE ", TableOf("sync_transfers"),
                       " SET status = 'in_progress', started_at = now(), "
                       "worker_pid = $2, worker_start = $3 "
                       "WHERE uuid = $1::uuid AND status = 'approved' RETURNING 1"),
                   {Param::OfText(std::string(entry.transfer)), Param::OfInt8(entry.worker_pid),
                    Param::OfTimestamp(entry.worker_start)});
  return static_cast<int64>(rows.size());
}

int64 Answer(const QueueEntry& entry) {
  CatalogQuery(Cat("UPDATE ", TableOf("sync_transfers"),
                   " SET metadata = metadata || jsonb_build_object($2, true), "
                   "status = CASE status WHEN 'pending_approval' THEN 'expired' ELSE status END "
                   "WHERE uuid = $1::uuid AND status IN ('pending_approval', 'denied', 'expired')"),
               {Param::OfText(std::string(entry.transfer)), Param::OfText(std::string(kAnswered))});
  return 1;
}

// As the extension's owner.
std::vector<std::string> ListAbandoned() {
  const auto rows =
      CatalogQuery(Cat("SELECT uuid, worker_pid, worker_start FROM ", TableOf("sync_transfers"),
                       " WHERE status = 'in_progress' AND direction = 'send' "
                       "AND requires_approval AND job IS NULL"));
  std::vector<std::string> abandoned;
  if (rows.empty()) return abandoned;
  // After the query, and in this order: a worker is among the peers until what it has to say is
  // queued, and that is there until it is written.
  const auto peers = session::ListPeers();
  for (const pg::Row& row : rows) {
    const bool served = std::any_of(peers.begin(), peers.end(), [&](const session::Peer& peer) {
      return peer.pid == row.Int8(1) && peer.connected_at == row.Timestamp(2);
    });
    if (!served && !session::IsQueued(row.Text(0))) abandoned.push_back(row.Text(0));
  }
  return abandoned;
}

}  // namespace

std::optional<Approval> FindApproval(const std::string& connection, const std::string& table) {
  const std::string transfers = TableOf("sync_transfers");
  pg::UserScope owner(catalog::ExtensionOwner());
  const auto rows = pg::FreshQuery(
      Cat("SELECT uuid, CASE WHEN status = 'pending_approval' AND approval_expires_at < "
          "clock_timestamp() THEN 'expired' ELSE status END, denial_reason FROM ",
          transfers,
          " WHERE connection_uuid = $1::uuid AND table_name = $2 AND direction = 'send' "
          "AND requires_approval AND status IN "
          "('approved', 'pending_approval', 'denied', 'expired') "
          "AND NOT (status IN ('denied', 'expired') AND metadata ? $3) "
          "ORDER BY status <> 'approved', status <> 'pending_approval', inserted_at DESC LIMIT 1"),
      {Param::OfText(connection), Param::OfText(table), Param::OfText(std::string(kAnswered))});
  if (rows.empty()) return std::nullopt;
  return Approval{rows[0].Text(0), StateOf(rows[0].Text(1)), rows[0].Optional(2)};
}

int64 WriteApproval(const QueueEntry& entry) {
  switch (StateOf(entry.status)) {
    case ApprovalState::kPending:
      return Ask(entry);
    case ApprovalState::kApproved:
      return Take(entry);
    case ApprovalState::kDenied:
    case ApprovalState::kExpired:
      return Answer(entry);
  }
  return 0;
}

void FailAbandonedApprovals() {
  const std::string transfers = TableOf("sync_transfers");
  pg::UserScope owner(catalog::ExtensionOwner());
  for (const std::string& uuid : ListAbandoned()) {
    CatalogQuery(Cat("UPDATE ", transfers,
                     " SET status = 'failed', completed_at = clock_timestamp(), error_message = "
                     "'the server ended before the transfer', worker_pid = NULL, worker_start = "
                     "NULL WHERE uuid = $1::uuid AND status = 'in_progress'"),
                 {Param::OfText(uuid)});
  }
}

bool HasAbandonedApprovals() {
  pg::UserScope owner(catalog::ExtensionOwner());
  return !ListAbandoned().empty();
}

}  // namespace pgsync::connection
