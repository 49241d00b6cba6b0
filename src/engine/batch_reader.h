// Sinks that look up incoming rows in their table without writing to it.
#pragma once

#include <vector>

#include "catalog/table.h"
#include "engine/apply_statements.h"
#include "engine/batch_applier.h"
#include "engine/batch_sink.h"
#include "engine/batch_statement.h"

namespace pgsync::engine {

/// Adds up what a BatchApplier would do, if no trigger and no constraint stepped in.
class BatchCounter : public StoringSink {
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
class BatchVerifier : public StoringSink {
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
