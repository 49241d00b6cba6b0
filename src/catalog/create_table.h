// Building tables from definitions that a peer, or a user, has written down.
#pragma once

#include <vector>

#include "catalog/names.h"
#include "core/table_info.h"

namespace pgsync::catalog {

struct NewTable {
  TableName name;  ///< what it is called here
  const core::TableInfo* definition = nullptr;
};

struct CreateOptions {
  /// Tables that exist are not locked: without foreign keys to them.
  bool online = false;
};

/// Creates the tables of one call as the current user: first their types, then their sequences, the
/// tables with their partitions, constraints and indexes, and at last their foreign keys. Text of
/// the definitions becomes part of no statement: types are resolved, names looked up, expressions
/// inspected, and what is accepted goes on as a tree. What is left out is told in one NOTICE.
/// Returns the tables. Raises 42P07 where a relation of that name exists, 3F000 for a schema that
/// does not, 42704 for types that do not, 42710 for a type that exists with another definition,
/// 0A000 where rows would be wrong without what is refused (a generation expression, a partition
/// key, a primary key), 22023 for what is no definition.
std::vector<Oid> CreateTables(const std::vector<NewTable>& tables,
                              const CreateOptions& options = {});

}  // namespace pgsync::catalog
