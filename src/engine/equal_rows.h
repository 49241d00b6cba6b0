// Rows of the peer that are equal in a unique index here.
#pragma once

#include <vector>

#include "catalog/unique_key.h"
#include "engine/batch_sink.h"
#include "engine/batch_statement.h"

namespace pgsync::engine {

/// A dry run writes nothing by which the second of them would be found. It counts them in the end.
class EqualRows {
 public:
  /// For rows of a StoringSink with these columns that are looked up by `keys`. `own`: the index by
  /// which a row is here that is no other one; null: none. `updated`: it then gets the values of
  /// the peer's row.
  EqualRows(const catalog::Table& target, const BatchColumns& columns,
            const std::vector<catalog::UniqueKey>& keys, const catalog::UniqueKey* own,
            bool updated);
  EqualRows(const EqualRows&) = delete;
  EqualRows& operator=(const EqualRows&) = delete;

  /// Notes the rows between these numbers of the relation that is registered as the sink's. SPI
  /// must be connected.
  void Note(int64 first, int64 last);
  /// How many of them are equal to one before and not here by their own key. Lets them go.
  int64 Count();

 private:
  std::string Repeated(const catalog::UniqueKey& key) const;

  const std::vector<catalog::UniqueKey>& keys_;
  bool updated_;
  std::vector<size_t> columns_;  // of the keys
  RowStore rows_;                // whether they are here by their own key, then these columns
  BatchStatement rows_to_note_;
};

}  // namespace pgsync::engine
