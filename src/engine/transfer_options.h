// The options of a transfer, from the words in which they were asked for.
#pragma once

#include "core/transfer_words.h"
#include "engine/transfer.h"

namespace pgsync::engine {

/// Raises 22023 for words that mean nothing (the HINT lists those that do), 0A000 for what this
/// version cannot do.
TransferOptions OptionsOf(const core::TransferWords& words);

}  // namespace pgsync::engine
