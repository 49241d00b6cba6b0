// What a transaction sees from a certain moment on.
#pragma once

#include "pg/guard.h"

extern "C" {
#include "access/xact.h"
#include "utils/snapmgr.h"
}

namespace pgsync::pg {

/// Runs `body` with an active snapshot in which all is visible that the transaction may see now,
/// its own writes too. On an exception the abort of the (sub)transaction takes it away, so that
/// exception must lead to one.
template <typename Body>
void WithFreshSnapshot(Body&& body) {
  Call([] {
    CommandCounterIncrement();
    PushActiveSnapshot(GetTransactionSnapshot());
  });
  body();
  PopActiveSnapshot();
}

}  // namespace pgsync::pg
