// A table as a sketch (core/sketch.h), which tells what two tables differ in, and the way back from
// the hashes of rows to the rows.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "catalog/table.h"
#include "core/sketch.h"
#include "engine/hashed_rows.h"
#include "rows/consumer.h"
#include "rows/row_hash.h"

namespace pgsync::engine {

class TableDigest {
 public:
  struct Column {
    size_t position;  ///< in Table::columns
    bool image;       ///< see rows::RowHasher
  };
  /// Why a table cannot be digested; empty: it can. Only heaps tell for sure where a row is.
  static std::string Refusal(const catalog::Table& table);

  /// `table`: one that can be digested. `columns`: what is hashed, in this order. `owner`: of a
  /// temporary file, see HashedRows. The table must outlive the object.
  TableDigest(const catalog::Table& table, const std::vector<Column>& columns, uint64_t seed,
              ResourceOwner owner);

  /// Goes over the table, once, as the active snapshot sees it. `progress` is told now and then how
  /// many rows have been met.
  void Scan(const std::function<void(uint64_t rows)>& progress);
  uint64_t rows() const { return sketch_.rows(); }
  /// Its rows as a sketch of that size or a larger one. The reference lasts until the next call.
  const core::Sketch& SketchOf(int bits);

  /// Hands over the rows that have one of the hashes, with the columns at these positions. The
  /// active snapshot sees the same as in Scan(). Returns how many there were: for each hash there
  /// is one, unless it was made up, or two rows have the same.
  uint64_t Rows(const std::vector<size_t>& positions, const std::vector<uint64_t>& hashes,
                rows::RowConsumer& consumer);

  /// Gives the temporary file back.
  void Close() { hashed_.Close(); }

 private:
  const catalog::Table& table_;
  std::vector<Column> columns_;
  uint64_t seed_;
  HashedRows hashed_;
  core::Sketch sketch_;
};

}  // namespace pgsync::engine
