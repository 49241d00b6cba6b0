// Expressions that came from a peer. They are data: parsed, looked at node by node, and printed
// anew from the tree; the peer's text never becomes part of a statement.
#pragma once

#include <optional>
#include <string>

#include "pg/guard.h"

namespace pgsync::catalog {

struct ColumnType {
  Oid type = InvalidOid;
  int32 typmod = -1;
  Oid collation = InvalidOid;
};

/// The DEFAULT expression `text` for a column of that type, printed by PostgreSQL; nullopt where it
/// is not one of those that are accepted: constants, casts between built-in types, CASE, COALESCE
/// and their like, immutable functions and operators that PostgreSQL implements itself, the current
/// time, random values. `why` then tells the reason.
std::optional<std::string> AcceptDefault(const std::string& text, const ColumnType& column,
                                         std::string* why);

}  // namespace pgsync::catalog
