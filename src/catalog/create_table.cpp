#include "catalog/create_table.h"

#include <deque>
#include <map>

#include "catalog/new_names.h"
#include "catalog/new_relation.h"
#include "catalog/new_types.h"
#include "core/text.h"
#include "pg/memory.h"
#include "pg/plain_settings.h"

extern "C" {
#include "access/xact.h"
}

namespace pgsync::catalog {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

class Creation {
 public:
  Creation(const std::vector<NewTable>& tables, const CreateOptions& options)
      : tables_(tables),
        options_(options),
        new_types_(types_, &left_out_),
        sequences_(&left_out_) {}

  std::vector<Oid> Run() {
    for (const NewTable& table : tables_)
      Check(table);
    pg::OwnedContext memory("sync creation of tables");
    const pg::ContextScope scope(memory.get());
    for (const NewTable& table : tables_)
      new_types_.Create(table.name, *table.definition);
    for (const NewTable& table : tables_)
      sequences_.Create(table.name, *table.definition);
    std::vector<Oid> created;
    for (const NewTable& table : tables_)
      created.push_back(CreateTree(table, memory));
    sequences_.Own([&](const TableName& at_peer) { return Here(at_peer); });
    for (NewRelation& relation : relations_) {
      relation.CreateForeignKeys([&](const TableName& at_peer) { return Referenced(at_peer); });
      memory.Reset();
    }
    for (const NewTable& table : tables_)
      TellNotCarried(table);
    return created;
  }

  void Notice() const {
    std::vector<TableName> names;
    for (const NewTable& table : tables_)
      names.push_back(table.name);
    if (!names.empty()) left_out_.Notice(names);
  }

 private:
  static void Check(const NewTable& table) {
    const core::TableInfo& definition = *table.definition;
    if (definition.kind != 'r' && definition.kind != 'p') {
      throw Error(sqlstate::kWrongObjectType, Cat("\"", table.name.ForMessage(), "\" is no table"));
    }
    RequireSchema(table.name.schema);
    if (OidIsValid(FindRelation(table.name))) {
      throw Error(sqlstate::kDuplicateTable,
                  Cat("relation \"", table.name.ForMessage(), "\" already exists"));
    }
    for (const core::PartitionInfo& partition : definition.partitions) {
      const core::RelationInfo& parent =
          partition.parent < 0 ? static_cast<const core::RelationInfo&>(definition)
                               : definition.partitions[static_cast<size_t>(partition.parent)];
      const bool known = partition.kind == 'r' || partition.kind == 'p' || partition.kind == 'f';
      if (parent.kind == 'p' && known) continue;
      throw Error(sqlstate::kInvalidParameter, "invalid table definition")
          .WithDetail("It has a partition of what is not partitioned.");
    }
  }

  // A partition keeps its name; those of a table that has got another one must make way for those
  // that may be there.
  static TableName NameOfPartition(const core::PartitionInfo& partition, const NewTable& table) {
    const core::TableInfo& definition = *table.definition;
    RequireName(partition.name, "a partition");
    TableName name{partition.schema, partition.name};
    if (definition.name.empty()) return name;
    if (partition.schema == definition.schema) name.schema = table.name.schema;
    RequireSchema(name.schema);
    if (definition.name == table.name.name) return name;
    name.name = RenamedAfter(partition.name, definition.name, table.name.name);
    name.name = FreeName(name.schema, name.name);
    return name;
  }

  Oid CreateTree(const NewTable& table, pg::OwnedContext& memory) {
    const core::TableInfo& definition = *table.definition;
    NewRelation& root = Relation(definition, table.name, nullptr, table);
    root.Create(definition.primary_key);
    root.CreateIndexes();
    std::vector<NewRelation*> partitions;
    for (const core::PartitionInfo& partition : definition.partitions) {
      memory.Reset();
      const TableName name = NameOfPartition(partition, table);
      if (OidIsValid(FindRelation(name))) {
        throw Error(sqlstate::kDuplicateTable,
                    Cat("relation \"", name.ForMessage(), "\" already exists"))
            .WithDetail(Cat("It would be a partition of \"", table.name.ForMessage(), "\"."));
      }
      if (partition.kind == 'f') {
        left_out_.Add(table.name, Cat("foreign table ", name.Display()),
                      "the partition is an ordinary table here");
      }
      NewRelation* const parent =
          partition.parent < 0 ? &root : partitions[static_cast<size_t>(partition.parent)];
      NewRelation& relation = Relation(partition, name, parent, table);
      partitions.push_back(&relation);
      relation.Create({});
      relation.CreateIndexes();
      relation.Attach(partition.bound);
    }
    memory.Reset();
    // Checks that are not validated reach the partitions from here.
    root.Finish();
    for (NewRelation* relation : partitions) {
      memory.Reset();
      relation->Finish();
    }
    memory.Reset();
    return root.oid();
  }

  NewRelation& Relation(const core::RelationInfo& definition, const TableName& name,
                        NewRelation* parent, const NewTable& table) {
    relations_.emplace_back(definition, name, parent, table.definition->name, table.name.name,
                            types_, sequences_, &left_out_);
    here_[{definition.schema, definition.name}] = &relations_.back();
    return relations_.back();
  }

  const TableName* Here(const TableName& at_peer) const {
    const auto found = here_.find(at_peer);
    return found == here_.end() ? nullptr : &found->second->name();
  }

  NewRelation::Referenced Referenced(const TableName& at_peer) const {
    if (const TableName* here = Here(at_peer)) return {*here, ""};
    if (!OidIsValid(FindRelation(at_peer))) {
      return {at_peer, Cat("table ", at_peer.Display(), " does not exist here")};
    }
    if (options_.online) {
      return {at_peer, Cat("it would lock table ", at_peer.Display(), ", and mode is online")};
    }
    return {at_peer, ""};
  }

  void TellNotCarried(const NewTable& table) {
    const core::TableInfo& definition = *table.definition;
    for (const std::string& what : definition.not_carried)
      left_out_.Add(table.name, what);
    if (definition.owner.empty()) return;
    const std::string here = pg::Call([] { return GetUserNameFromId(GetUserId(), false); });
    if (definition.owner != here) {
      left_out_.Add(table.name, Cat("owner ", QuoteIdentifier(definition.owner)));
    }
  }

  const std::vector<NewTable>& tables_;
  const CreateOptions& options_;
  LeftOut left_out_;
  UsableTypes types_;
  NewTypes new_types_;
  NewSequences sequences_;
  std::deque<NewRelation> relations_;
  std::map<TableName, NewRelation*> here_;  // by their names at the peer
};

}  // namespace

std::vector<Oid> CreateTables(const std::vector<NewTable>& tables, const CreateOptions& options) {
  Creation creation(tables, options);
  std::vector<Oid> created;
  pg::WithPlainSettings([&] { created = creation.Run(); });
  creation.Notice();
  return created;
}

}  // namespace pgsync::catalog
