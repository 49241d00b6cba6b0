// What may be read, written and shared (spec: what can be shared).
#pragma once

#include <string>
#include <vector>

#include "catalog/table.h"

namespace pgsync::catalog {

/// Tables that are never shared unless a session names them: those of PhoenixKit that hold its
/// bookkeeping and its users' tokens.
bool IsExcludedName(std::string_view name);

/// Raises unless rows of the relation may be read by the current user: 42809 for what is no table
/// or view of a permanent schema, 42501 for tables that are refused by name (unless
/// `named_by_owner`) and for missing SELECT rights, the missing columns in DETAIL.
void RequireReadable(const Table& table, bool named_by_owner = false);

/// Raises unless the relation can take part in a transfer or an import: as RequireReadable without
/// the look at rights (the executor looks), and 42809 for views and foreign tables.
void RequireTransferable(const Table& table, bool named_by_owner = false);

/// SQL condition on `c` (pg_class) and `n` (pg_namespace) for tables that are listed to the current
/// user, with those of IsExcludedName or without.
std::string ListedCondition(bool with_excluded_names);

/// Bytes that the table takes on disk, its partitions included, without indexes.
int64 StoredBytes(Oid table);

/// count(*) as the current user, under the active snapshot; `fresh`: under one that also sees what
/// the current command has written.
int64 CountRows(const Table& table, bool fresh = false);

}  // namespace pgsync::catalog
