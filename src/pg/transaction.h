// Transactions of workers that write for this extension.
#pragma once

#include "pg/guard.h"

extern "C" {
#include "access/xact.h"
#include "access/xlog.h"
#include "tcop/tcopprot.h"
}

namespace pgsync::pg {

/// Starts a transaction that may write wherever the server can, and sees what was committed before
/// each statement: default_transaction_read_only and default_transaction_isolation are for users.
inline void start_own_transaction() {
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  XactIsoLevel = XACT_READ_COMMITTED;
  XactReadOnly = RecoveryInProgress();
}

}  // namespace pgsync::pg
