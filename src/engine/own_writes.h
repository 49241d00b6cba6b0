// What this transaction has written to a table: to find out whether a comparison made earlier in it
// still tells the truth, for triggers and foreign keys that a write to one table fires may write to
// others.
#pragma once

#include <string>

#include "catalog/table.h"

namespace pgsync::engine {

class OwnWrites {
 public:
  /// All until now, to the table and its partitions.
  static OwnWrites Of(const catalog::Table& table);

  /// Whether what this transaction has written to the table at two moments is known to be the same.
  /// PostgreSQL counts it, unless track_counts is off.
  bool SameAs(const OwnWrites& other) const { return counted_ && counts_ == other.counts_; }

 private:
  bool counted_ = false;
  std::string counts_;
};

}  // namespace pgsync::engine
