// triggers => 'skip': a transfer that fires neither user triggers nor those of foreign keys.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/table.h"
#include "engine/foreign_key_check.h"

namespace pgsync::engine {

/// Locks the tables and all that they refer to and are referred to by (SHARE ROW EXCLUSIVE, in the
/// order of their OIDs, to the end of the transaction), and then disables the triggers of the
/// tables that are enabled for ORIGIN or REPLICA, those of foreign keys included; ALWAYS triggers
/// and those of deferrable unique constraints stay. Nobody else sees them disabled, and an abort of
/// the transaction undoes it.
class SkippedTriggers {
 public:
  /// Raises 42501 where the current user does not own a table, 0A000 where a table has rules.
  explicit SkippedTriggers(const std::vector<const catalog::Table*>& tables);

  /// Enables the triggers again, and checks foreign keys as sets.
  void Finish();

 private:
  struct Trigger {
    Oid table;
    std::string name;
    char state;
  };
  void Set(const Trigger& trigger, char state) const;

  std::vector<Trigger> triggers_;  // of partitioned tables before those of their partitions
  std::optional<ForeignKeyCheck> check_;
};

}  // namespace pgsync::engine
