#include "connection/due_work.h"

#include <algorithm>

#include "catalog/names.h"
#include "connection/approvals.h"
#include "connection/auto_sync.h"
#include "connection/connection.h"
#include "connection/expiry.h"
#include "connection/jobs.h"
#include "connection/notices.h"

extern "C" {
#include "storage/lmgr.h"
#include "utils/timestamp.h"
}

namespace pgsync::connection {

namespace {

constexpr int kLaterMs = 5000;

// Whoever changes several of the tables locks them in an order of its own: waiting for one of them
// while holding another could end in a deadlock.
bool LockAllOrNothing() {
  (void)catalog::ExtensionOwner();  // before its tables
  for (const char* table : {"sync_connections", "sync_transfers", "sync_notices"}) {
    const Oid oid = catalog::FindRelation({catalog::ExtensionSchema(), table});
    if (!OidIsValid(oid) ||
        !pg::Call([&] { return ConditionalLockRelationOid(oid, AccessShareLock); })) {
      return false;
    }
  }
  return true;
}

}  // namespace

int64 NextDue() {
  if (!Available()) return 0;
  if (!LockAllOrNothing()) {
    return pg::Call([] { return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kLaterMs); });
  }
  if (HasAbandonedApprovals()) return pg::Call([] { return GetCurrentTimestamp(); });
  int64 next = 0;
  for (const auto& due : {NextJob(), NextAutoSync(), NextExpiry(), NextNotice()}) {
    if (!due) continue;
    // What was due before 2000 is no less due than what was a moment later, and is no 0.
    const int64 at = std::max<int64>(*due, 1);
    next = next == 0 ? at : std::min(next, at);
  }
  return next;
}

}  // namespace pgsync::connection
