// What tables take on disk.
#pragma once

#include <vector>

#include "pg/guard.h"

namespace pgsync::catalog {

/// For each of the tables the bytes that it takes with its partitions, indexes and TOAST tables: as
/// pg_total_relation_size(), but without opening any of them, which would read the definitions of
/// thousands of tables into this backend's cache, and keep them there.
std::vector<int64> TotalBytes(const std::vector<Oid>& tables);

}  // namespace pgsync::catalog
