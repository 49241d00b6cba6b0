#include "client/pull.h"

#include <set>

#include "catalog/names.h"
#include "client/parent_tables.h"
#include "client/progress_report.h"

namespace pgsync::client {

std::vector<engine::TableOutcome> PullTables(Peer& peer, int client, const std::string& peer_name,
                                             const std::vector<engine::TableRequest>& tables,
                                             const engine::TransferOptions& options,
                                             const std::string& transfer) {
  ProgressReport report(client, peer_name, "receive", transfer);
  return engine::TransferTables(peer, report, tables, options);
}

std::vector<engine::TableRequest> SelectTables(Peer& peer, const TableSelection& selection) {
  std::set<catalog::TableName> excluded;
  for (const std::string& name : selection.exclude)
    excluded.insert(catalog::ParseTableName(name));
  std::vector<catalog::TableName> selected;
  std::set<catalog::TableName> seen;
  auto select = [&](const catalog::TableName& name) {
    if (excluded.count(name) == 0 && seen.insert(name).second) selected.push_back(name);
  };
  if (selection.tables) {
    for (const std::string& name : *selection.tables)
      select(catalog::ParseTableName(name));
    if (selection.parents) {
      for (const catalog::TableName& name : FindParents(peer, selected, excluded))
        select(name);
    }
  } else {
    for (const core::TableListEntry& entry : peer.ListTables(std::nullopt, false)) {
      select({entry.schema, entry.name});
    }
  }
  std::vector<engine::TableRequest> requests;
  for (const catalog::TableName& name : selected)
    requests.push_back({name.Qualified(), std::nullopt});
  return requests;
}

}  // namespace pgsync::client
