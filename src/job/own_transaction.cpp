#include "job/own_transaction.h"

#include "pg/transaction.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "pgstat.h"
#include "utils/snapmgr.h"
}

namespace pgsync::job {

void BeginOwnTransaction() {
  pg::Call([] {
    pg::start_own_transaction();
    // A commit leaves the role of a transfer in place.
    SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, 0);
    PushActiveSnapshot(GetTransactionSnapshot());
  });
}

void CommitOwnTransaction() {
  pg::Call([] {
    PopActiveSnapshot();
    CommitTransactionCommand();
    pgstat_report_stat(true);
  });
}

}  // namespace pgsync::job
