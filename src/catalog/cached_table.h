// A table as the caches of this backend have it: as it is now, whatever an older snapshot sees.
#pragma once

#include "catalog/table.h"

namespace pgsync::catalog {

/// Reads what it takes to read and write rows of a relation, in a fraction of the time that
/// ReadTable() takes: no foreign keys, and of columns no type, default or collation as text. The
/// relation must be locked. Raises 42P01 where it is gone.
Table ReadCachedTable(Oid relation);

}  // namespace pgsync::catalog
