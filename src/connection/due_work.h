// When the next work of the current database is due.
#pragma once

#include "pg/guard.h"

namespace pgsync::connection {

/// The time (TimestampTz) of the next job, automatic sync, expiry or notice; 0: there is no work.
/// In a transaction.
int64 NextDue();

}  // namespace pgsync::connection
