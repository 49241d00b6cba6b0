// Unique indexes of a table, as far as a row can be found by the values of its columns.
#pragma once

#include <string>
#include <vector>

#include "catalog/table.h"

namespace pgsync::catalog {

/// Over plain columns and all rows; not all of the columns need be NOT NULL.
struct UniqueKey {
  Oid index = InvalidOid;
  /// Positions in Table::columns, in the order of the index.
  std::vector<size_t> columns;
  /// For each of them: the operator that the index takes for equality, for OPERATOR(...).
  std::vector<std::string> equal;
  /// " COLLATE ..." where the index has another collation than its column, else empty.
  std::vector<std::string> collations;

  /// Whether `values`, one for each column, are those of the row "t".
  std::string Matches(const Table& table, const std::vector<std::string>& values) const;
  /// The i-th column in two rows: "left = right".
  std::string Equal(size_t i, const std::string& left, const std::string& right) const;
};

/// The columns of several, each once.
std::vector<size_t> ColumnsOf(const std::vector<UniqueKey>& keys);

/// All that are valid and have neither predicate nor expressions, the primary key's too, in the
/// order of their OIDs.
std::vector<UniqueKey> UniqueKeysOf(const Table& table);

}  // namespace pgsync::catalog
