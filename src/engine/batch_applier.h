// The set-based path: a batch of rows meets its table in two statements, an UPDATE of the existing
// rows that differ and an INSERT of the others. A batch that fails is halved, in subtransactions,
// until the rows are found that fail on their own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/table.h"
#include "engine/apply_statements.h"
#include "engine/batch_sink.h"
#include "engine/batch_statement.h"
#include "engine/constraints.h"
#include "engine/key_map.h"
#include "engine/late_rows.h"
#include "engine/row_errors.h"
#include "engine/row_store.h"

namespace pgsync::engine {

struct ApplyCounts {
  int64 created = 0;
  int64 updated = 0;
  int64 skipped = 0;
  int64 deleted = 0;
};

struct ApplyOptions : StatementOptions {
  /// Where `late` columns are noted, and where the keys that are returned; null: nowhere.
  LateRows* late_rows = nullptr;
  KeyMap* key_map = nullptr;
  /// Where rows that fail are kept; null: nowhere.
  RowStore* failed_rows = nullptr;
  /// Checks deferrable constraints with each batch, so that what they find is a row's error. Not
  /// where a later row may be what satisfies them.
  bool check_deferred = false;
};

/// Writes the rows; an error of a single one goes to the RowErrors.
class BatchApplier : public StoringSink {
 public:
  /// For rows with these columns (positions in target.columns), in this order, and then those of
  /// options.carried. Errors are put into `errors`, counts added to `counts`; all must outlive the
  /// object.
  BatchApplier(const catalog::Table& target, const std::vector<size_t>& columns,
               const ApplyOptions& options, RowErrors& errors, ApplyCounts& counts);
  BatchApplier(const BatchApplier&) = delete;
  BatchApplier& operator=(const BatchApplier&) = delete;

  void Apply() override;
  /// Rows that collide with a unique value of another row are put aside by Apply(): that row may
  /// itself be about to change.
  void Settle() override;
  int64 postponed() const override { return postponed_.rows(); }

 private:
  BatchApplier(const catalog::Table& target, const std::vector<size_t>& columns,
               const ApplyOptions& options, ApplyStatements statements, RowErrors& errors,
               ApplyCounts& counts);
  template <typename Body>
  void WithRows(RowStore& rows, Body body);
  void ApplyRows(RowStore& rows, bool last_first);
  void ApplyOne(RowStore& row);
  void Try(RowStore& rows, BatchStatement& existing);
  void Execute(RowStore& rows, BatchStatement& existing);
  bool may_be_all_new(const RowStore& rows) const;
  void require_same_identity(const RowStore& rows);
  void note_keys(SPITupleTable* touched, uint64 count, SPITupleTable* returned);
  bool ReplaceAll(RowStore& rows);
  bool MayReplace();
  bool IsOfKey(const pg::PgError& error);
  bool KeyExists(int64 position);
  std::optional<std::string> KeyOf(int64 position);

  const catalog::Table& target_;
  Strategy strategy_;
  std::optional<DeferrableConstraints> deferred_;
  RowErrors& errors_;
  ApplyCounts& counts_;
  BatchStatement update_, insert_, insert_all_, key_json_, exists_, identity_, replace_, touched_;
  LateRows* late_rows_;
  KeyMap* key_map_;
  RowStore* failed_rows_;
  // What is to be noted of the rows that are being written.
  std::optional<RowStore> late_pending_, keys_pending_;
  std::optional<std::vector<std::string>> key_indexes_;
  RowStore postponed_;         // put aside for Settle()
  RowStore* shown_ = nullptr;  // what is registered
  bool may_postpone_;
};

}  // namespace pgsync::engine
