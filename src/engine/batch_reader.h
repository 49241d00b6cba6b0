// Sinks that look up incoming rows in their table without writing to it.
#pragma once

#include <vector>

#include "catalog/table.h"
#include "engine/apply_statements.h"
#include "engine/batch_applier.h"
#include "engine/batch_statement.h"
#include "engine/row_store.h"

namespace pgsync::engine {

/// What they have in common: the batch.
class BatchReader : public BatchSink {
 public:
  void put_row(int64 position, Datum* values, bool* nulls) override {
    incoming_.put(position, values, nulls);
  }
  int64 pending() const override { return incoming_.rows(); }

 protected:
  BatchReader(const catalog::Table& target, const std::vector<size_t>& columns);

  RowStore incoming_;
};

/// Adds up what a BatchApplier would do, if no trigger and no constraint stepped in.
class BatchCounter : public BatchReader {
 public:
  BatchCounter(const catalog::Table& target, const std::vector<size_t>& columns,
               const ApplyOptions& options, ApplyCounts& counts);

  void Apply() override;

 private:
  BatchCounter(const catalog::Table& target, const std::vector<size_t>& columns,
               ApplyStatements statements, ApplyCounts& counts);

  ApplyCounts& counts_;
  BatchStatement count_new_, count_changed_;
};

/// Incoming rows that do not stand in the table as they came.
struct Unequal {
  int64 rows = 0;
  std::vector<std::string> keys;  ///< JSON objects of the first few
};

/// Finds them.
class BatchVerifier : public BatchReader {
 public:
  BatchVerifier(const catalog::Table& target, const std::vector<size_t>& columns, Unequal& unequal);

  void Apply() override;

 private:
  BatchVerifier(const catalog::Table& target, const std::vector<size_t>& columns,
                ApplyStatements statements, Unequal& unequal);

  Unequal& unequal_;
  BatchStatement count_unequal_, unequal_keys_;
};

}  // namespace pgsync::engine
