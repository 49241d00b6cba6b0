// Tables that a transfer of others needs, because these refer to them.
#pragma once

#include <set>
#include <vector>

#include "catalog/names.h"
#include "client/peer.h"

namespace pgsync::client {

/// The tables of the peer's list that `tables` refer to by foreign keys, directly or through others
/// that are found, and that are not among them; none of `excluded`, nor what only these lead to.
/// Both what the peer says of its foreign keys counts (PhoenixKit does not over a WebSocket), and
/// those of the tables of the same names here.
std::vector<catalog::TableName> FindParents(Peer& peer,
                                            const std::vector<catalog::TableName>& tables,
                                            const std::set<catalog::TableName>& excluded);

}  // namespace pgsync::client
