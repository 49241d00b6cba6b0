// What a person does with the rows of sync_transfers. The final states (completed, failed, denied,
// cancelled, expired) are left by nobody.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/guard.h"

namespace pgsync::connection {

/// pending_approval -> approved: the peer that waits for it may come. Raises P0002 for an unknown
/// transfer, 55000 for one that does not wait, or for too long; 42501 unless the current user is a
/// member of the role as which the connection acts.
void ApproveTransfer(const std::string& uuid);
/// pending_approval -> denied. Likewise, but that anybody may who may execute the function.
void DenyTransfer(const std::string& uuid, const std::optional<std::string>& reason);

/// The tables of one call, as table_name shows them: "a, b", and "*" for all.
std::string TablesForDisplay(const std::optional<std::vector<std::string>>& tables);

/// Deletes what has ended more than that many milliseconds ago; returns how many rows.
int64 PurgeTransfers(int64 older_than_ms);

}  // namespace pgsync::connection
