#include "client/parent_tables.h"

#include <map>

#include "catalog/referenced_tables.h"

namespace pgsync::client {

using catalog::TableName;

namespace {

class PeerTables {
 public:
  explicit PeerTables(Peer& peer) {
    for (core::TableListEntry& entry : peer.ListTables(std::nullopt, false)) {
      const TableName name{entry.schema, entry.name};
      by_text_[name.Display()] = name;
      depends_on_[name] = std::move(entry.depends_on);
    }
  }

  bool Has(const TableName& table) const { return depends_on_.count(table) > 0; }

  /// What the peer says that the table refers to, of those in the list.
  std::vector<TableName> ReferencedBy(const TableName& table) const {
    std::vector<TableName> referenced;
    const auto found = depends_on_.find(table);
    if (found == depends_on_.end()) return referenced;
    for (const std::string& text : found->second) {
      const auto named = by_text_.find(text);
      // PhoenixKit has names as they are, of schema public alone.
      const TableName name = named != by_text_.end() ? named->second : TableName{"public", text};
      if (Has(name)) referenced.push_back(name);
    }
    return referenced;
  }

 private:
  std::map<std::string, TableName> by_text_;  // as written in SQL
  std::map<TableName, std::vector<std::string>> depends_on_;
};

}  // namespace

std::vector<TableName> FindParents(Peer& peer, const std::vector<TableName>& tables,
                                   const std::set<TableName>& excluded) {
  const PeerTables there(peer);
  std::set<TableName> seen(tables.begin(), tables.end());
  std::vector<TableName> parents;
  const auto select = [&](const TableName& name) {
    if (there.Has(name) && excluded.count(name) == 0 && seen.insert(name).second)
      parents.push_back(name);
  };
  const auto follow = [&](const TableName& table) {
    pg::CheckInterrupts();
    for (const TableName& name : there.ReferencedBy(table))
      select(name);
    for (const TableName& name : catalog::ReferencedTables(table))
      select(name);
  };
  for (const TableName& table : tables)
    follow(table);
  // It grows while it is gone through.
  for (size_t i = 0; i < parents.size(); i++)
    follow(TableName(parents[i]));
  return parents;
}

}  // namespace pgsync::client
