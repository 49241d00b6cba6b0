// The tables of a transfer as its source has them: their rows, and how these differ from the rows
// here.
#pragma once

#include <memory>

#include "core/waiter.h"
#include "engine/table_delta.h"

namespace pgsync::engine {

/// One source, of one transfer.
class JobSource {
 public:
  /// All three must outlive it.
  JobSource(TableSource& source, TransferObserver& observer, const TransferOptions& options)
      : source_(source), report_(observer), options_(options) {}

  /// What is to be loaded, with `progress` that tells the observer.
  LoadRequest Request(const Job& job) { return WithProgress(job.Request(options_)); }
  /// The same of the columns of the row key alone.
  LoadRequest KeyRequest(const Job& job) { return WithProgress(job.KeyRequest(options_)); }

  /// The rows of the columns that a request asks for.
  std::unique_ptr<RowFeed> Rows(const Job& job, const LoadRequest& columns);
  /// All rows, of one column: to be counted.
  std::unique_ptr<RowFeed> RowsToCount(const Job& job);
  /// Compares the table with the peer's, so that only rows move that differ; null: all have to,
  /// which is said as loudly as the options ask for, or as `level` says.
  std::unique_ptr<TableDelta> Compare(const Job& job, const LoadRequest& request);
  std::unique_ptr<TableDelta> Compare(const Job& job, const LoadRequest& request, int level);

  /// Adds what `work` takes to the table's outcome.
  template <typename Work>
  void Measured(Job& job, Work work) {
    const auto started = core::Clock::now();
    const uint64_t bytes_before = source_.BytesIn();
    report_.Table(job.outcome.table, job.remote.row_estimate.value_or(-1));
    work();
    job.outcome.bytes += static_cast<int64>(source_.BytesIn() - bytes_before);
    job.outcome.duration +=
        std::chrono::duration_cast<std::chrono::milliseconds>(core::Clock::now() - started);
  }

  TransferObserver& report() { return report_; }

 private:
  core::RowsRequest RowsFor(const Job& job, const LoadRequest& columns) const;
  LoadRequest WithProgress(LoadRequest request);

  TableSource& source_;
  TransferObserver& report_;
  const TransferOptions& options_;
};

}  // namespace pgsync::engine
