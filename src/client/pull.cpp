#include "client/pull.h"

#include <set>

#include "catalog/names.h"
#include "client/progress_report.h"

namespace pgsync::client {

std::vector<engine::TableOutcome> PullTables(Peer& peer, int client, const std::string& peer_name,
                                             const std::vector<engine::TableRequest>& tables,
                                             const engine::TransferOptions& options,
                                             const std::string& transfer) {
  ProgressReport report(client, peer_name, "receive", transfer);
  return engine::TransferTables(peer, report, tables, options);
}

std::vector<engine::TableRequest> SelectTables(
    Peer& peer, const std::optional<std::vector<std::string>>& tables,
    const std::vector<std::string>& exclude) {
  std::set<catalog::TableName> excluded;
  for (const std::string& name : exclude)
    excluded.insert(catalog::ParseTableName(name));
  std::vector<engine::TableRequest> selected;
  std::set<catalog::TableName> seen;
  auto select = [&](const catalog::TableName& name) {
    if (excluded.count(name) == 0 && seen.insert(name).second) {
      selected.push_back({name.Qualified(), std::nullopt});
    }
  };
  if (tables) {
    for (const std::string& name : *tables)
      select(catalog::ParseTableName(name));
  } else {
    for (const core::TableListEntry& entry : peer.ListTables(std::nullopt, false)) {
      select({entry.schema, entry.name});
    }
  }
  return selected;
}

}  // namespace pgsync::client
