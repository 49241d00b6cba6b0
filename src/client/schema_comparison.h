// The definitions of the peer's tables beside those of ours.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/peer.h"
#include "core/schema_difference.h"

namespace pgsync::client {

struct TableDifferences {
  std::string table;
  std::vector<core::SchemaDifference> differences;
};

/// Compares the tables named; without names all that the peer lists, and those of ours that could
/// be listed in the same schemas. In the order of their names, only those that differ. Raises 42P01
/// for a table that neither side has.
std::vector<TableDifferences> CompareSchemas(Peer& peer,
                                             const std::optional<std::vector<std::string>>& tables);

}  // namespace pgsync::client
