// Comparing the rows of a peer's table with those of a local one.
//
// Both sides come in the order of the local key and are merged: the peer's rows by way of a sort
// (work_mem, then temporary files), the local ones from a scan in the order of the key. Each side
// is read once, in one snapshot, and nothing is written.
//
// Rows are matched by the equality of the local key's own operator class, as a transfer matches
// them: where that takes values for one that have different texts (numeric 1.0 and 1.00, float 0
// and -0, citext, nondeterministic collations), the pair is an update. Of several rows of the peer
// with the same key the last to come counts, as when they are loaded; a key with a null matches
// nothing. The peer's values are compared as they would be stored here, in the types of the local
// columns.
//
// Without a key among the columns (or where part of it is a generated column) both sides are
// compared as multisets: 2 against 3 equal rows is one row too few.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/stream_load.h"
#include "rows/consumer.h"

extern "C" {
#include "executor/tuptable.h"
}

namespace pgsync::engine {

/// What is told of the rows that differ, in the order of the key; without a key in no order that
/// means anything, yet in the same one every time. Runs inside the executor: leaves, which continue
/// in C++ through pg::Enter(). The slots hold LoadRequest::columns, in their order, in front of
/// what else they may hold, and last until the return.
class CompareVisitor {
 public:
  virtual ~CompareVisitor() = default;
  /// Only the peer has the row.
  virtual void insert_row(TupleTableSlot* remote) = 0;
  /// Both have the key, and the rows differ.
  virtual void update_row(TupleTableSlot* local, TupleTableSlot* remote) = 0;
  /// Only the local table has the row.
  virtual void delete_row(TupleTableSlot* local) = 0;
  /// Whether no more is wanted; the comparison then ends.
  virtual bool satisfied() const { return false; }
};

struct CompareCounts {
  int64 inserts = 0;
  int64 updates = 0;
  int64 deletes = 0;
  int64 equal = 0;
  int64 repeated = 0;  ///< rows of the peer whose key a later one had again
};

/// The columns by which rows are matched; none: they are compared as multisets.
std::vector<std::string> ComparedKey(const LoadRequest& request);

/// Compares the whole stream with the whole table under the active snapshot (what the transaction
/// itself wrote since that was taken is not seen). Of the request the strategy and the size of
/// batches mean nothing. Raises 08P01 where the stream is malformed, and the error of a value that
/// a local column's type refuses, with the position of its row.
CompareCounts CompareRows(const LoadRequest& request, RowFeed& feed, CompareVisitor& visitor);

/// Hands over local rows with the columns at these positions first, in any order; false where they
/// are not all that is in question.
using LocalRows =
    std::function<bool(const std::vector<size_t>& positions, rows::RowConsumer& consumer)>;

/// The same where it is known which rows are in question (engine/reconciliation.h): those of the
/// feed and those local ones; there is a key. nullopt, and the visitor was not called, where
/// `local` has returned false.
std::optional<CompareCounts> CompareSome(const LoadRequest& request, RowFeed& feed,
                                         const LocalRows& local, CompareVisitor& visitor);

/// A stream of the rows whose keys are behind `after` (a JSON object; nullopt: all), in the order
/// of the key if either is given, at most `limit` of them.
using FeedOfRange = std::function<std::unique_ptr<RowFeed>(const std::optional<std::string>& after,
                                                           std::optional<int64> limit)>;

/// The same for a visitor that is likely to have enough soon: the peer is asked for some pages
/// first, and for all the rest only then. It must have the local key as its own, without nulls and
/// repetitions, and the key's order must be the same on both sides; 08P01 where it turns out not to
/// be.
CompareCounts CompareInPages(const LoadRequest& request, const FeedOfRange& range,
                             CompareVisitor& visitor);

}  // namespace pgsync::engine
