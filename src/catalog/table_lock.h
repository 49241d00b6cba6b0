// A table's definition, kept from changing while rows are read or written by it.
#pragma once

#include <memory>

#include "catalog/table.h"

namespace pgsync::catalog {

/// Finds a relation and takes ACCESS SHARE on it, held to the end of the transaction: from here on
/// no column comes, goes or becomes another. InvalidOid where there is none.
Oid LockRelation(const TableName& name);

/// As KeptTable, with ACCESS SHARE taken before, as a SELECT takes it.
std::shared_ptr<const Table> ReadLockedTable(Oid relation);

/// For a table that is locked, but was read as an older snapshot sees the catalogs: raises 55000
/// unless it still has its name, and the columns that were read their names and types.
void RequireAsRead(const Table& table);

}  // namespace pgsync::catalog
