// A statement over a batch of incoming rows, planned seldom and run for ranges of them.
#pragma once

#include <string>

#include "pg/guard.h"

extern "C" {
#include "access/htup_details.h"
#include "executor/spi.h"
}

namespace pgsync::engine {

/// Takes the first and the last "n" of the rows as $1 and $2.
class BatchStatement {
 public:
  explicit BatchStatement(std::string sql) : sql_(std::move(sql)) {}
  ~BatchStatement();
  BatchStatement(const BatchStatement&) = delete;
  BatchStatement& operator=(const BatchStatement&) = delete;

  /// There is nothing to run.
  bool empty() const { return sql_.empty(); }
  /// Plans the statement where it is not planned well, so that run() finds the plan made. SPI
  /// must be connected, the rows registered.
  void Prepare();
  /// Runs it and leaves the result where SPI does. Does nothing where the statement is empty. For
  /// leaves. Returns the number of rows processed.
  uint64 run(int64 first, int64 last) const;
  /// Runs it and hands the values of each row of the result to `take(values, nulls)`. For leaves.
  template <typename Take>
  void run_for_each(int64 first, int64 last, Take take) const {
    if (plan_ == nullptr) return;
    const uint64 count = run(first, last);
    SPITupleTable* const rows = SPI_tuptable;
    auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * rows->tupdesc->natts));
    auto* nulls = static_cast<bool*>(palloc(sizeof(bool) * rows->tupdesc->natts));
    for (uint64 i = 0; i < count; i++) {
      heap_deform_tuple(rows->vals[i], rows->tupdesc, values, nulls);
      take(values, nulls);
    }
    SPI_freetuptable(rows);
  }
  /// Runs a statement of one row and one column of type bigint or boolean, which is prepared. For
  /// leaves.
  Datum value(int64 first, int64 last) const;
  /// The same, prepared first.
  Datum RunForValue(int64 first, int64 last);

 private:
  std::string sql_;
  SPIPlanPtr plan_ = nullptr;
  // In a table of a few rows any way to look rows up is as good, also one that is not once batches
  // have made it large. So the plan is made anew, less and less often: each time the table has at
  // most doubled.
  int64 uses_ = 0;
  int64 good_for_ = 1;
};

}  // namespace pgsync::engine
