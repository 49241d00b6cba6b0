#include "job/own_transaction.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "pgstat.h"
#include "tcop/tcopprot.h"
#include "utils/snapmgr.h"
}

namespace pgsync::job {

void BeginOwnTransaction() {
  pg::Call([] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    XactIsoLevel = XACT_READ_COMMITTED;
    XactReadOnly = false;
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
