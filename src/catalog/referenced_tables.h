// What a table of this database refers to.
#pragma once

#include <vector>

#include "catalog/names.h"

namespace pgsync::catalog {

/// The tables that foreign keys of the table, or of its partitions, refer to, itself included where
/// they do so; of a partition the root. None where there is no such table. No privilege is looked
/// at.
std::vector<TableName> ReferencedTables(const TableName& table);

}  // namespace pgsync::catalog
