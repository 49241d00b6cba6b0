// Sequences behind columns, after rows with values of their own have come in.
#pragma once

#include "catalog/table.h"

namespace pgsync::engine {

/// Moves each sequence that feeds a column of the table (owned by it, behind an identity column or
/// its default) up to the largest value of the column, where it is behind that (smallest and down
/// for a negative increment). Never moves one backwards. As with setval(), a rollback does not undo
/// it. Without the right to, a WARNING tells the statement to run.
void AdvanceSequences(const catalog::Table& table);

}  // namespace pgsync::engine
