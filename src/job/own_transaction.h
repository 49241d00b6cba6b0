// The transactions in which a job worker looks after the tables of this extension.
#pragma once

#include "pg/guard.h"

namespace pgsync::job {

void BeginOwnTransaction();
void CommitOwnTransaction();

/// Runs `body` in a transaction, as the superuser as whom the worker is connected. What it raises
/// ends the worker, unless the caller aborts the transaction.
template <typename Body>
void InOwnTransaction(Body&& body) {
  BeginOwnTransaction();
  body();
  CommitOwnTransaction();
}

}  // namespace pgsync::job
