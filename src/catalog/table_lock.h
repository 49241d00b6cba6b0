// A table's definition, kept from changing while rows are read or written by it.
#pragma once

#include <memory>

#include "catalog/table.h"

namespace pgsync::catalog {

/// Finds a relation and takes ACCESS SHARE on it, held to the end of the transaction: from here on
/// no column comes, goes or becomes another. InvalidOid where there is none.
Oid LockRelation(const TableName& name);

/// The same for a table whose name was found out before the lock, for who trusts nobody with it:
/// false, with the lock held nevertheless, where the name is by now another relation's, or the
/// table has become a view, which may run code of its owner.
bool LockTable(const TableName& name, Oid table);

/// As KeptTable, with ACCESS SHARE taken before, as a SELECT takes it.
std::shared_ptr<const Table> ReadLockedTable(Oid relation);

/// For a table that is locked, but was read as an older snapshot sees the catalogs: raises 55000
/// unless it still has its name and kind, and the columns that were read their names and types.
void RequireAsRead(const Table& table);

}  // namespace pgsync::catalog
