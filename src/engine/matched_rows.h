// Rows here that were taken for rows of the peer with other keys.
#pragma once

#include <string>
#include <vector>

#include "catalog/unique_key.h"
#include "engine/row_store.h"

namespace pgsync::engine {

/// A row may be found by a unique value that it loses when the peer's row with its own key comes:
/// it would then have been taken for what it is not.
class MatchedRows {
 public:
  /// For rows of a table with a row key that are found by these indexes.
  MatchedRows(const catalog::Table& target, const std::vector<catalog::UniqueKey>& keys);
  MatchedRows(const MatchedRows&) = delete;
  MatchedRows& operator=(const MatchedRows&) = delete;

  /// The columns by which rows are found.
  const std::vector<size_t>& columns() const { return columns_; }
  /// The rows: their row key here, the number of the index among the keys (int4), and the values by
  /// which they were found, of all these columns.
  RowStore& rows() { return rows_; }
  /// Raises 0A000 where a row no longer has the values by which it was found.
  void RequireUnchanged();

 private:
  const catalog::Table& target_;
  const std::vector<catalog::UniqueKey>& keys_;
  std::vector<size_t> columns_;
  RowStore rows_;
};

}  // namespace pgsync::engine
