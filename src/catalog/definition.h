// The whole definition of a table, read from the catalogs: all that is needed to build it
// elsewhere.
#pragma once

#include "catalog/table.h"
#include "core/table_info.h"

namespace pgsync::catalog {

/// Table::ToInfo() and all the rest: types, sequences, constraints, indexes, partitions, comments,
/// and the names of what no definition carries. Costs a dozen queries, whatever the number of
/// partitions. No privilege is looked at.
core::TableInfo Define(const Table& table);

}  // namespace pgsync::catalog
