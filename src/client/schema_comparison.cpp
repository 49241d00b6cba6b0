#include "client/schema_comparison.h"

#include <map>
#include <set>

#include "catalog/table.h"
#include "catalog/table_list.h"
#include "core/text.h"

namespace pgsync::client {

using catalog::TableName;
using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// What the peer says of a table that it does not list, which may be that it has none.
std::optional<core::TableInfo> Unlisted(Peer& peer, const TableName& name) {
  try {
    return peer.GetSchema(name.Qualified());
  } catch (const Error& error) {
    if (error.state() != sqlstate::kUndefinedTable) throw;
    return std::nullopt;
  }
}

std::optional<core::TableInfo> LocalDefinition(const TableName& name) {
  const Oid oid = catalog::FindRelation(name);
  if (!OidIsValid(oid)) return std::nullopt;
  return catalog::ReadTable(oid).ToInfo();
}

std::set<TableName> LocalTables(const std::set<std::string>& schemas) {
  catalog::ListOptions options;
  options.exact_counts = false;
  std::set<TableName> tables;
  for (const core::TableListEntry& entry : catalog::ListTables(options)) {
    if (schemas.count(entry.schema) > 0) tables.insert({entry.schema, entry.name});
  }
  return tables;
}

}  // namespace

std::vector<TableDifferences> CompareSchemas(
    Peer& peer, const std::optional<std::vector<std::string>>& tables) {
  std::set<TableName> listed, wanted;
  std::set<std::string> schemas;
  for (const core::TableListEntry& entry : peer.ListTables(std::nullopt, false)) {
    listed.insert({entry.schema, entry.name});
    schemas.insert(entry.schema);
  }
  if (tables) {
    for (const std::string& name : *tables)
      wanted.insert(catalog::ParseTableName(name));
  } else {
    wanted = LocalTables(schemas);
    wanted.insert(listed.begin(), listed.end());
  }

  // The definitions of all that are listed come in one message.
  std::vector<TableName> opened;
  std::vector<std::string> names;
  for (const TableName& name : wanted) {
    if (listed.count(name) == 0) continue;
    opened.push_back(name);
    names.push_back(name.Qualified());
  }
  std::map<TableName, core::TableInfo> theirs;
  if (!names.empty()) {
    std::vector<core::OpenedTable> answers = peer.Open(names);
    for (size_t i = 0; i < opened.size(); i++)
      theirs[opened[i]] = std::move(answers.at(i).info);
  }

  std::vector<TableDifferences> result;
  for (const TableName& name : wanted) {
    pg::CheckInterrupts();
    std::optional<core::TableInfo> remote;
    if (const auto found = theirs.find(name); found != theirs.end()) {
      remote = std::move(found->second);
    } else if (tables) {
      remote = Unlisted(peer, name);
    }
    const std::optional<core::TableInfo> local = LocalDefinition(name);
    if (!local && !remote) {
      throw Error(sqlstate::kUndefinedTable,
                  Cat("table \"", name.ForMessage(), "\" exists neither here nor there"));
    }
    auto differences =
        core::CompareDefinitions(local ? &*local : nullptr, remote ? &*remote : nullptr);
    if (!differences.empty()) result.push_back({name.Display(), std::move(differences)});
  }
  return result;
}

}  // namespace pgsync::client
