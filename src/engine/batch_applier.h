// The set-based path: a batch of rows meets its table in two statements, an UPDATE of the existing
// rows that differ and an INSERT of the others. A batch that fails is halved, in subtransactions,
// until the rows are found that fail on their own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/table.h"
#include "engine/apply_statements.h"
#include "engine/constraints.h"
#include "engine/row_errors.h"
#include "pg/memory.h"

extern "C" {
#include "executor/spi.h"
#include "utils/tuplestore.h"
}

namespace pgsync::engine {

struct ApplyCounts {
  int64 created = 0;
  int64 updated = 0;
  int64 skipped = 0;
  int64 deleted = 0;
};

struct ApplyOptions {
  Strategy strategy = Strategy::kSkip;
  /// As for BuildApplyStatements.
  bool may_repeat_keys = false;
  /// Checks deferrable constraints with each batch, so that what they find is a row's error. Not
  /// where a later row may be what satisfies them.
  bool check_deferred = false;
};

class BatchApplier {
 public:
  /// For rows with these columns (positions in target.columns), in this order. Errors are put into
  /// `errors`, counts added to `counts`; all must outlive the object.
  BatchApplier(const catalog::Table& target, std::vector<size_t> columns,
               const ApplyOptions& options, RowErrors& errors, ApplyCounts& counts);
  ~BatchApplier();
  BatchApplier(const BatchApplier&) = delete;
  BatchApplier& operator=(const BatchApplier&) = delete;

  /// Adds a row; `position` grows from row to row and is 1 or more. Copies the values. For leaves.
  void put_row(int64 position, Datum* values, bool* nulls);
  int64 pending() const { return pending_; }
  /// Writes what was put and empties the batch. Raises what ends the call; an error of a single row
  /// goes to the RowErrors.
  void Apply();

 private:
  struct Statement {
    std::string sql;
    SPIPlanPtr plan = nullptr;
  };
  void begin_batch();
  void register_incoming();
  void PrepareAll();
  void Prepare(Statement& statement);
  void ApplyRange(int64 first, int64 last);
  void ApplyOne(int64 position);
  void Execute(int64 first, int64 last);
  bool KeyExists(int64 position);
  std::optional<std::string> KeyOf(int64 position);

  const catalog::Table& target_;
  Strategy strategy_;
  std::optional<DeferrableConstraints> deferred_;
  RowErrors& errors_;
  ApplyCounts& counts_;
  Statement update_, insert_, key_json_, exists_;
  pg::OwnedContext context_;
  TupleDesc desc_ = nullptr;
  Tuplestorestate* incoming_ = nullptr;
  Datum* row_values_ = nullptr;  // scratch, with room for "n"
  bool* row_nulls_ = nullptr;
  int64 pending_ = 0;
  int64 first_ = 0;
  int64 last_ = 0;
};

}  // namespace pgsync::engine
