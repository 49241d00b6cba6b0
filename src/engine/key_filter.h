// Rows chosen by their key, in the WHERE clause of a scan.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/table.h"

namespace pgsync::engine {

/// Values of the first column of the table's key, as text for its type under the canonical
/// settings, in the database's encoding.
struct KeyFilter {
  std::vector<std::string> values;  ///< any of these, if there are any; else:
  std::optional<std::string> from;  ///< not less than this
  std::optional<std::string> to;    ///< not greater than this

  bool empty() const { return values.empty() && !from && !to; }
};

/// A parameter $n of a scan.
struct ScanParam {
  Oid type;
  Datum value;
};

/// The condition, whose parameters are added to `params` and live in the current memory context.
/// The table has a key, and the filter is not empty. Raises what the type's input raises.
std::string KeyCondition(const catalog::Table& table, const KeyFilter& filter,
                         std::vector<ScanParam>* params);

}  // namespace pgsync::engine
