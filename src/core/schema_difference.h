// In what two definitions of a table differ.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/table_info.h"

namespace pgsync::core {

/// One difference. Its kind is one of these words, for scripts to rely on:
///
///   table         one side does not have the table
///   table kind    one is partitioned, or a view
///   column        one side does not have the column; the other one's name and type
///   type, collation, not null, default, generated, identity     of a column: its name and what
///                 it has; nullopt: nothing of that kind
///   primary key   its columns
///   foreign key   a table that is referred to
struct SchemaDifference {
  std::string kind;
  std::optional<std::string> local;   ///< nullopt: it is not there
  std::optional<std::string> remote;  ///< likewise

  bool operator==(const SchemaDifference& other) const {
    return kind == other.kind && local == other.local && remote == other.remote;
  }
};

/// Compares two tables, either of which may be missing (null): the table, then its columns in the
/// local order, those of the peer alone behind them, then what belongs to the table as a whole. The
/// order of columns is no difference.
std::vector<SchemaDifference> CompareDefinitions(const TableInfo* local, const TableInfo* remote);

}  // namespace pgsync::core
