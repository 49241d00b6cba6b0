// Columns of foreign keys that are left null while rows are written, and filled in when all the
// rows are there that they refer to.
#pragma once

#include <vector>

#include "engine/key_map.h"
#include "engine/row_store.h"
#include "engine/strategy.h"

namespace pgsync::engine {

class LateRows {
 public:
  /// `columns`: positions of what is left null.
  LateRows(const catalog::Table& target, std::vector<size_t> columns);

  const std::vector<size_t>& columns() const { return columns_; }
  /// The rows to be filled in: the row key as it stands here, then the values as they came.
  RowStore& rows() { return rows_; }
  /// Fills them in, once. `translations`: of foreign keys among the columns. Raises 23503,
  /// 22000 where a column cannot hold a key here, and 42501 where row level security hides rows
  /// that the caller has inserted.
  void FillIn(Strategy strategy, const std::vector<const KeyTranslation*>& translations);

 private:
  static std::vector<size_t> KeyAnd(const catalog::Table& target,
                                    const std::vector<size_t>& columns);
  void RequireFilledIn(const std::string& joins, const std::string& same) const;

  const catalog::Table& target_;
  std::vector<size_t> columns_;
  RowStore rows_;
};

}  // namespace pgsync::engine
