// Reading a table through the executor, as the current user.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/table.h"
#include "engine/hashed_rows.h"
#include "engine/key_filter.h"
#include "pg/memory.h"
#include "rows/consumer.h"

namespace pgsync::engine {

/// A SELECT over one table.
struct ScanRequest {
  /// Positions in Table::columns, in the order in which the consumer wants them.
  std::vector<size_t> columns;
  /// In the order of the table's key; without a key, by place. Implied by limit, offset and after.
  bool ordered = false;
  std::optional<int64> limit;
  int64 offset = 0;
  /// The consumer may be satisfied soon, so the first rows should not wait for all others.
  bool first_rows = false;
  /// The key behind which to go on, as a JSON object (server encoding): needs a key. Each of the
  /// key's columns must be there.
  std::optional<std::string> after;
  /// Tell where each row is: place_of().
  bool places = false;
  /// Only these rows, if the snapshot sees them. The places are looked up in each partition.
  const PlacedRows* among = nullptr;
  /// Only the rows that it chooses: needs a key, and goes with neither `after` nor `among`.
  KeyFilter filter;
};

/// Where a row is that a scan with `places` and so many columns has handed over. Points into the
/// slot. For leaves.
struct RowPlace {
  Oid table;
  const ItemPointerData* place;
};
RowPlace place_of(TupleTableSlot* slot, int columns);

/// All columns but stored generated ones.
std::vector<size_t> PlainColumns(const catalog::Table& table);

/// Raises 22023 for a negative limit or offset.
void RequirePage(const ScanRequest& request);

/// Runs the SELECT under the active snapshot and hands its rows to `consumer`. Returns their
/// number. Raises 42830 for `after` or a filter without a key.
uint64 ScanTable(const catalog::Table& table, const ScanRequest& request,
                 rows::RowConsumer& consumer);

}  // namespace pgsync::engine
