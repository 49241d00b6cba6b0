// A statement over a batch of incoming rows, planned once and run for ranges of them.
#pragma once

#include <string>

#include "pg/guard.h"

extern "C" {
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
  /// Plans the statement, or again after an invalidation, so that run() finds the plan made. SPI
  /// must be connected, the rows registered.
  void Prepare();
  /// Runs it and leaves the result where SPI does. Does nothing where the statement is empty. For
  /// leaves. Returns the number of rows processed.
  uint64 run(int64 first, int64 last) const;
  /// Runs a statement of one row and one column of type bigint or boolean.
  Datum RunForValue(int64 first, int64 last);

 private:
  std::string sql_;
  SPIPlanPtr plan_ = nullptr;
};

}  // namespace pgsync::engine
