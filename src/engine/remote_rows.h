// The peer's side of a comparison: its rows in order, read as a whole or in pages.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/compare.h"
#include "engine/compared_rows.h"
#include "rows/decoder.h"
#include "rows/row_object.h"

namespace pgsync::engine {

class RemoteRows {
 public:
  /// Rows of `feed`, or where that is null of `range`; all must outlive the object.
  RemoteRows(const LoadRequest& request, ComparedRows& layout, RowFeed* feed,
             const FeedOfRange* range);

  /// Reads up to the first row. Raises what CompareRows() does.
  void Begin();

  // For leaves, in a context that can be reset behind them.

  /// The row that is next to be met, deformed; null at the end.
  TupleTableSlot* current() const { return has_current_ ? current_ : nullptr; }
  /// Goes on to the next row; of those with the same key the last.
  void advance();
  /// Gives the files back.
  void end() { tuplesort_end(sort_); }

  /// Rows that were passed over because a later one has the same key.
  int64 repeated() const { return repeated_; }

 private:
  void ReadNext();
  int64 ReadFeed(RowFeed& feed, const core::RowHeader& header);
  void TakeFrame(const core::RowStreamReader::Rows& frame, const StreamDecoder& decoder,
                 Datum* values, bool* nulls);
  void TurnPage();
  bool fetch(TupleTableSlot* slot);

  const LoadRequest& request_;
  ComparedRows& layout_;
  RowFeed* feed_;
  const FeedOfRange* range_;
  pg::OwnedContext scratch_;  // one row that is read
  Tuplesortstate* sort_ = nullptr;
  TupleTableSlot* current_ = nullptr;
  TupleTableSlot* next_ = nullptr;  // the row behind it
  bool has_current_ = false;
  bool has_next_ = false;
  int64 position_ = 0;
  int64 repeated_ = 0;
  int pages_ = 0;                      // that were asked for
  bool more_ = false;                  // the peer may have rows behind this page
  std::optional<std::string> behind_;  // its last key
  std::vector<std::string> key_names_;
  std::optional<rows::RowObject> row_;
};

}  // namespace pgsync::engine
