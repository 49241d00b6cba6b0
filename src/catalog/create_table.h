// Building a table from a definition that a peer, or a user, has written down.
#pragma once

#include <string>
#include <vector>

#include "catalog/names.h"
#include "core/table_info.h"

namespace pgsync::catalog {

/// Creates the table as the current user: columns with their exact types and collations, NOT NULL,
/// identity, generated columns, defaults, the primary key. Type names are resolved before anything
/// is built from them, expressions have to pass AcceptDefault(). What is left out is named in
/// `left_out`, a sentence each. Raises 42P07 where a relation of that name exists, 3F000 for a
/// schema that does not, 42704 for types that do not, 22023 for what is no definition.
Oid CreateTable(const TableName& name, const core::TableInfo& definition,
                std::vector<std::string>* left_out);

/// Tells in one NOTICE what was left out; none: nothing.
void NoticeLeftOut(const TableName& name, const std::vector<std::string>& left_out);

}  // namespace pgsync::catalog
