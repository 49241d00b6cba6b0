// Whether the bulk path may be taken for a table: only where no one can tell the difference by the
// result.
#pragma once

#include "pg/guard.h"

namespace pgsync::engine {

/// Null, or why the table cannot be loaded in bulk: also that a lock which the load needs is not
/// free. The locks that it takes are left to the end of the (sub)transaction. For leaves.
const char* refuse_bulk_load(Oid table, bool foreign_keys_are_checked);

}  // namespace pgsync::engine
