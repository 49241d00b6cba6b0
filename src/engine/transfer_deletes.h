// What strategy mirror deletes in the tables of one transfer, and when.
#pragma once

#include <map>
#include <memory>

#include "engine/job_source.h"
#include "engine/own_writes.h"

namespace pgsync::engine {

/// The deletes of all its tables.
class TransferDeletes {
 public:
  /// All three must outlive it.
  TransferDeletes(const TransferPlan& plan, JobSource& source, const TransferOptions& options)
      : plan_(plan), source_(source), options_(options) {}

  /// Before the first write: no delete may turn out to be one too many when half of the work is
  /// done. Raises 55000 where there would be too many.
  void Find();
  /// Of a table to be mirrored: what Find() has compared, unless the tables that were loaded
  /// meanwhile have triggers or foreign keys that wrote to this one; then it is compared again.
  /// Null: all rows have to move.
  std::unique_ptr<TableDelta> TakeDelta(const Job& job, const LoadRequest& request);
  /// A row may have to wait for a unique value that a row has which is to go. Deletes come last,
  /// since rows may still refer to what goes; where none does, they can come now.
  void DeleteEarly();
  /// Deletes what is left to delete: children before parents. Raises 0A000 where rows of such a
  /// table have failed: one of them may be one that was taken for missing.
  void Delete();

 private:
  // A comparison made before the first write, and what had been written to the table then.
  struct EarlyDelta {
    std::unique_ptr<TableDelta> delta;
    OwnWrites writes;
  };

  bool FindByDelta(Job& job);
  void RequireJustified() const;
  bool Spread() const;
  void DeleteAll();

  const TransferPlan& plan_;
  JobSource& source_;
  const TransferOptions& options_;
  std::map<const Job*, EarlyDelta> deltas_;
};

}  // namespace pgsync::engine
