// Which foreign keys of a transfer's tables follow rows to the keys that these get, or have, here.
#pragma once

#include <memory>
#include <vector>

#include "engine/transfer_plan.h"

namespace pgsync::engine {

/// How the rows of a table are recognized under other keys; null: they cannot be.
std::unique_ptr<RowMatching> MatchingOf(const Job& job, TransferOptions::Match match);

/// Decides for all tables of a transfer. `ordered`: the same, in the order in which they are
/// loaded. Raises 0A000 where new keys cannot be followed, or can come from nowhere.
void PlanKeys(const std::vector<std::unique_ptr<Job>>& jobs, const std::vector<Job*>& ordered);

}  // namespace pgsync::engine
