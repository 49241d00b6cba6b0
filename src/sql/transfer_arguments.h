// The arguments that all transfer functions end with.
#pragma once

#include <optional>

#include "core/transfer_words.h"
#include "sql/function.h"

namespace pgsync::sql {

/// Reads them from argument `first` on; `strategies`, where the function has that, from its place.
core::TransferWords ReadTransferWords(const Args& args, int first,
                                      std::optional<int> strategies = std::nullopt);

}  // namespace pgsync::sql
