// Transfers: tables of a peer into tables of this database, all of them or none.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/peer.h"
#include "engine/batch_applier.h"
#include "engine/strategy.h"

namespace pgsync::client {

struct TransferOptions {
  engine::Strategy strategy = engine::Strategy::kSkip;
  std::map<std::string, engine::Strategy> strategies;  ///< by table, as its peer names it
  bool create_missing_tables = true;
  std::optional<int64> batch_size;
  bool online = false;  ///< never more than ROW EXCLUSIVE
  bool advance_sequences = true;
  std::optional<int64> max_errors = 0;
  bool drop_extra_columns = false;
};

struct TableRequest {
  std::string remote;                ///< as the peer names it
  std::optional<std::string> local;  ///< nullopt: the same name
};

struct TableOutcome {
  std::string table;
  engine::ApplyCounts counts;
  std::string errors;  ///< JSON
  int64 error_count = 0;
  int64 bytes = 0;
  std::chrono::milliseconds duration{0};
};

/// Transfers the tables in the order of their foreign keys, each once, in the caller's transaction.
/// Raises whatever keeps one of them from arriving: nothing then remains but what sequences were
/// moved. `client` and `peer_name` are for sync_progress().
std::vector<TableOutcome> TransferTables(Peer& peer, int client, const std::string& peer_name,
                                         const std::vector<TableRequest>& tables,
                                         const TransferOptions& options);

/// The peer's tables that a transfer of all takes: those listed (or named), less those excluded.
std::vector<TableRequest> SelectTables(Peer& peer,
                                       const std::optional<std::vector<std::string>>& tables,
                                       const std::vector<std::string>& exclude);

}  // namespace pgsync::client
