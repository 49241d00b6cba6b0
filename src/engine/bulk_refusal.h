// Whether the bulk path may be taken for a table: only where no one can tell the difference by the
// result.
#pragma once

#include "pg/guard.h"

extern "C" {
#include "access/attnum.h"
}

namespace pgsync::engine {

/// Null, or why the table cannot be loaded in bulk: also that a lock which the load needs is not
/// free. The locks that it takes are left to the end of the (sub)transaction. For leaves.
/// `columns`: the numbers of the columns that come; the others take their defaults.
const char* refuse_bulk_load(Oid table, const AttrNumber* columns, int count,
                             bool foreign_keys_are_checked);

}  // namespace pgsync::engine
