// The deletes of strategy mirror: local rows whose key the peer does not have.
#pragma once

#include <optional>

#include "engine/row_store.h"
#include "engine/stream_load.h"

namespace pgsync::engine {

/// What keeps the peer from vouching for the rows that it lacks, or us from seeing ours. Raises
/// 0A000 that names the cause. `complete`: the peer says that it shows every row. `columns`:
/// positions of the columns that come.
void RequireMirrorPossible(const catalog::Table& target, bool has_snapshot, bool complete,
                           const std::vector<size_t>& columns);

/// The rows of one table that are to go.
class DoomedRows {
 public:
  explicit DoomedRows(const catalog::Table& target);

  /// Reads the peer's keys (a stream of the key's columns alone, see key_columns()) and finds the
  /// local rows that have none of them. Once.
  void Find(const LoadRequest& request, RowFeed& feed);
  /// The same where the two tables have been compared: of the local rows with the keys `only_here`,
  /// those go that have the key of none of the rows of `feed` (null: it has none), which are loaded
  /// by `request`. `peer_rows`: that the peer has in all. False, and nothing is found, where a row
  /// cannot be decoded.
  bool FindAmong(RowStore& only_here, const LoadRequest& request, RowFeed* feed, int64 peer_rows);
  int64 count() const { return doomed_.rows(); }
  /// Raises 55000 where too much of the table would go, unless the caller has given a limit: all
  /// rows because the peer's table is empty, or more than half of a table of 1000 rows or more.
  void RequireModest() const;
  /// Deletes them, as the caller, and returns how many have gone: a trigger may keep some.
  int64 Delete();
  /// To be called when they have been deleted for good, or will not be.
  void Forget() { doomed_.Clear(); }

 private:
  std::string Unseen(const std::string& from, const std::string& condition) const;

  const catalog::Table& target_;
  RowStore doomed_;
  int64 peer_rows_ = 0;
};

}  // namespace pgsync::engine
