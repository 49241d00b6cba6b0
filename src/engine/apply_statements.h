// The SQL with which a batch of incoming rows meets its table.
#pragma once

#include <string>
#include <vector>

#include "catalog/table.h"
#include "engine/strategy.h"

namespace pgsync::engine {

/// Name of the ephemeral relation that holds the batch, as transition tables are held. Its columns
/// are "n" (position of the row in the input, bigint) and "c0", "c1", ... (the incoming columns).
inline constexpr char kIncomingRelation[] = "pgsync_incoming";

struct StatementOptions {
  Strategy strategy = Strategy::kSkip;
  /// What rows have behind their columns, see BatchColumns.
  std::vector<size_t> carried;
  /// A batch may hold several rows with the same key, of which the last counts.
  bool may_repeat_keys = false;
  /// Columns that are left null in new rows and untouched in existing ones, see LateRows.
  std::vector<size_t> late;
  /// append: the insert returns the primary keys of the new rows, in the order of "n".
  bool return_keys = false;
  /// append: columns of the primary key that are not dropped.
  std::vector<size_t> kept_keys;
};

/// Statements for incoming rows with a fixed set of columns. Each takes the first and the last "n"
/// as $1 and $2. All names, operators and functions are qualified.
struct ApplyStatements {
  std::string update;  ///< existing rows that differ; empty where nothing is ever updated
  std::string insert;  ///< rows that do not exist
  /// All rows, where none exists and each would be looked up for nothing, twice; empty where
  /// nothing is ever updated.
  std::string insert_all;
  std::string key_json;  ///< the key of the rows as JSON; empty without a key
  std::string exists;    ///< true where the key exists; empty without a key
  /// A row for each existing row whose identity column GENERATED ALWAYS differs, which no UPDATE
  /// can change: the column's name. Empty where there is no such column.
  std::string identity;
  /// Existing rows are deleted, all of them first, and inserted again with what came; empty where
  /// nothing is ever updated.
  std::string replace;
  /// Where columns are late or keys are returned: of the rows that the first two may write, "n",
  /// the columns of the row key as they came and as they are written, the late columns as they
  /// came, in the order of "n".
  std::string touched;
  // What the first two would do, and have done:
  std::string count_new;      ///< how many rows do not exist
  std::string count_changed;  ///< how many existing rows differ; empty where none is ever updated
  std::string count_unequal;  ///< how many rows are missing or differ; empty without a key
  std::string unequal_keys;   ///< the keys of the first of them as JSON; empty without a key
};

/// The key by which the strategy finds existing rows; null: every row is inserted. Without a
/// primary key `skip` inserts, while `overwrite` and `merge` may use another unique index.
const catalog::Key* MatchKey(const catalog::Table& target, Strategy strategy);

/// What a strategy asks of a table: append needs defaults for the key (0A000), overwrite and merge
/// need a key (42830). `kept_keys`: columns of the key that append does not drop.
void RequireStrategyPossible(const catalog::Table& target, Strategy strategy,
                             const std::vector<size_t>& kept_keys = {});

/// `columns`: positions in target.columns, in the order of c0, c1, ...
ApplyStatements BuildApplyStatements(const catalog::Table& target,
                                     const std::vector<size_t>& columns,
                                     const StatementOptions& options);

}  // namespace pgsync::engine
