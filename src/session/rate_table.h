// The rate of the requests of each connection, over all of its workers, in shared memory
// (core/policy.h decides).
#pragma once

#include <string>

#include "pg/guard.h"

namespace pgsync::session {

/// Counts a request for a connection of the current database, if the rate allows it: then 0. Else
/// the microseconds until it would.
int64 TakeRequestOf(const std::string& connection, int per_minute);

Size RateTableSize();
void init_rate_table(void* memory, bool found);

}  // namespace pgsync::session
