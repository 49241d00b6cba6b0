// Pushing: a transfer that the sending side has asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/peer.h"
#include "core/transfer_words.h"
#include "engine/transfer.h"

namespace pgsync::client {

struct PushedTable {
  Oid table = InvalidOid;
  std::optional<std::string> remote;  ///< as the peer names it; nullopt: the same name
};

/// Sends the tables, as the active snapshot sees them, to the peer, which takes them in one
/// transaction: that has been committed when this returns, and no rollback here undoes it. Raises
/// 25001 where the current transaction has written to one of them, and what the peer raises:
/// nothing of the push then remains there. `client` and `peer_name` are for sync_progress().
std::vector<engine::TableOutcome> PushTables(Peer& peer, int client, const std::string& peer_name,
                                             const std::vector<PushedTable>& tables,
                                             const core::TransferWords& words);

/// The tables that a push of all takes: those given, or all that sync_list_tables() shows, less
/// those excluded.
std::vector<PushedTable> SelectOwnTables(const std::optional<std::vector<Oid>>& tables,
                                         const std::vector<Oid>& exclude);

}  // namespace pgsync::client
