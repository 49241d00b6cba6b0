// The bulk path: rows go into an empty table without index maintenance, and the indexes are built
// afterwards, as REINDEX does. It needs rights and a lock that the set-based path does not, and is
// taken only where no one can tell the difference by the result.
#pragma once

#include <string>
#include <vector>

#include "engine/stream_load.h"

namespace pgsync::engine {

/// Foreign keys of tables that were loaded in bulk: nothing has checked their rows yet.
class PendingForeignKeys {
 public:
  void Add(Oid table) { tables_.push_back(table); }
  /// Checks them, each as one set, as ALTER TABLE ... ADD FOREIGN KEY does. Raises 23503.
  void Check() const;

 private:
  std::vector<Oid> tables_;
};

/// Loads the stream in bulk if that may be done, in a subtransaction. Returns an empty string if it
/// has been, else why not: nothing has then changed, no lock is held, and the stream can be begun
/// again. An error of a row (IsRowError) is such a reason too: this path can neither name the row
/// nor go on without it, the set-based path can. Other errors are raised.
std::string TryLoadInBulk(const LoadRequest& request, RowFeed& feed, ApplyCounts& counts);

}  // namespace pgsync::engine
