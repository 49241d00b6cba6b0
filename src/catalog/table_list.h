// The tables of this database as they are listed to a user or a peer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/table_info.h"
#include "pg/guard.h"

namespace pgsync::catalog {

/// What sync_list_tables() shows to the current user, ordered by schema and name. Row counts are
/// exact (counted as the current user) or the planner's.
struct ListOptions {
  std::optional<std::string> schema;  // nullopt: all
  bool exact_counts = true;
  bool include_phoenix_kit = true;
  /// Only these tables, where given: those a session was narrowed to, excluded names and all.
  std::optional<std::vector<Oid>> only;
};
std::vector<core::TableListEntry> ListTables(const ListOptions& options);

}  // namespace pgsync::catalog
