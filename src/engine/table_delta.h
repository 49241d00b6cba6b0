// A table of a transfer of which only the rows move that differ (mode delta).
//
// What the load makes of these rows, it would have made of them among all the others: those that
// are equal are left alone in any case. Strategy skip needs only the rows whose keys are missing
// here, so keys alone are compared; mirror also those that only this side has.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/reconciliation.h"
#include "engine/row_store.h"
#include "engine/spooled_feed.h"
#include "engine/transfer_plan.h"

namespace pgsync::engine {

/// Why the rows of the table have to move as a whole; empty: they have not. `request`: what would
/// be loaded.
std::string DeltaRefusal(const Job& job, const LoadRequest& request, const TransferOptions& options,
                         TableSource& source);

class TableDelta {
 public:
  TableDelta() = default;
  TableDelta(const TableDelta&) = delete;
  TableDelta& operator=(const TableDelta&) = delete;

  /// Compares, under the active snapshot. `rows`: asks for the columns of `request`. Returns an
  /// empty string, or why the rows have to move as a whole.
  std::string Find(TableSource& source, const Job& job, const LoadRequest& request,
                   const core::RowsRequest& rows, const std::function<void(int64)>& progress);

  /// The peer's rows that are not here as they are there; null: there are none. To be read once,
  /// but for strategy mirror.
  RowFeed* feed() const { return feed_.get(); }
  int64 peer_rows() const { return peer_rows_; }
  /// Those that are here.
  int64 equal_rows() const { return peer_rows_ - differing_; }
  /// Mirror: the keys of the local rows that the peer does not have as they are here.
  RowStore& only_here() { return *only_here_; }

  /// When the rows have been read.
  void Close();

 private:
  std::unique_ptr<RowFeed> feed_;
  SpooledFeed* spooled_ = nullptr;  // what feed_ is
  std::optional<RowStore> only_here_;
  int64 peer_rows_ = 0;
  int64 differing_ = 0;
};

}  // namespace pgsync::engine
