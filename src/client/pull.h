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

/// Which of the peer's tables a transfer of several takes.
struct TableSelection {
  std::optional<std::vector<std::string>> tables;  ///< nullopt: all that the peer lists
  std::vector<std::string> exclude;
  bool parents = false;  ///< with `tables`: those too that they refer to, see FindParents()
};
std::vector<engine::TableRequest> SelectTables(Peer& peer, const TableSelection& selection);

}  // namespace pgsync::client
