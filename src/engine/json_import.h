// sync_import: JSON records into a table.
#pragma once

#include <optional>
#include <string>

#include "catalog/table.h"
#include "engine/batch_applier.h"
#include "engine/row_errors.h"
#include "engine/strategy.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace pgsync::engine {

/// Imports an array of objects by column name. Records are grouped by the columns that they have;
/// of records with the same key the last one counts. Raises 22023 where `records` is not an array,
/// what RowErrors raises, and errors that are not a row's.
void ImportJson(const catalog::Table& target, Jsonb* records, Strategy strategy, RowErrors& errors,
                ApplyCounts& counts);

}  // namespace pgsync::engine
