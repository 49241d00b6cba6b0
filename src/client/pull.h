// Pulling: a transfer that the receiving side has asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/peer.h"
#include "engine/transfer.h"

namespace pgsync::client {

/// Transfers the peer's tables into those of this database (engine/transfer.h), in the caller's
/// transaction. `client`, `peer_name` and `transfer`
/// (its uuid, where it has one already) are for sync_progress().
std::vector<engine::TableOutcome> PullTables(Peer& peer, int client, const std::string& peer_name,
                                             const std::vector<engine::TableRequest>& tables,
                                             const engine::TransferOptions& options,
                                             const std::string& transfer = std::string());

/// The peer's tables that a transfer of all takes: those listed (or named), less those excluded.
std::vector<engine::TableRequest> SelectTables(
    Peer& peer, const std::optional<std::vector<std::string>>& tables,
    const std::vector<std::string>& exclude);

}  // namespace pgsync::client
