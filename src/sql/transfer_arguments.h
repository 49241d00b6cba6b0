// The arguments that all transfer functions end with.
#pragma once

#include <optional>

#include "catalog/names.h"
#include "client/pull.h"
#include "core/transfer_words.h"
#include "sql/function.h"

namespace pgsync::sql {

/// Reads them from argument `first` on; `strategies`, where the function has that, from its place.
core::TransferWords ReadTransferWords(const Args& args, int first,
                                      std::optional<int> strategies = std::nullopt);

/// A slip in the names of `strategies` would leave a table to the strategy of all: warns of names
/// that are not among `tables`.
void WarnOfStrategiesForNone(const core::TransferWords& words,
                             const std::vector<catalog::TableName>& tables);

/// What is selected, of a function that takes several tables: `tables` and `exclude` from argument
/// `tables` on, `parents` from among those that begin with `first`.
client::TableSelection ReadSelection(const Args& args, int tables, int first);

}  // namespace pgsync::sql
