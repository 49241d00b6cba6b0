// Rows of a table that failed when they were written, kept so that they can be tried again: what
// they wait for may come later, as rows that they refer to in a cycle of foreign keys.
#pragma once

#include <memory>

#include "engine/batch_applier.h"
#include "engine/row_errors.h"
#include "engine/row_store.h"

namespace pgsync::engine {

struct LoadRequest;

class FailedRows {
 public:
  /// For rows with these columns.
  FailedRows(const catalog::Table& target, const BatchColumns& columns);
  FailedRows(const FailedRows&) = delete;
  FailedRows& operator=(const FailedRows&) = delete;

  /// Those whose write failed, with the values that were to be written, and what is carried.
  RowStore& unwritten() { return *unwritten_; }
  /// Those whose foreign keys could not be given new values, as they came.
  RowStore& untranslated() { return *untranslated_; }
  /// Why, for each of both.
  RowErrors& errors() { return errors_; }

  /// Tries each of them once, from the last to the first, which turns their order round. Those that
  /// fail again are kept again, with the errors of this time; the others are added to `counts`.
  /// `request`: by which they were loaded.
  void TryAgain(const LoadRequest& request, ApplyCounts& counts);
  /// To be called when they are not tried again: returns the errors, and lets the rows go.
  RowErrors GiveUp();

 private:
  void Empty();

  const catalog::Table& target_;
  const BatchColumns columns_;
  std::unique_ptr<RowStore> unwritten_, untranslated_;
  RowErrors errors_{std::nullopt};
};

}  // namespace pgsync::engine
