#include "catalog/new_relation.h"

#include <algorithm>
#include <set>

#include "catalog/accept.h"
#include "catalog/accept_partition.h"
#include "catalog/new_names.h"
#include "catalog/peer_text.h"
#include "catalog/provided.h"
#include "catalog/storage_options.h"
#include "catalog/utility.h"
#include "core/text.h"

extern "C" {
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
}

namespace pgsync::catalog {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

// A "CHECK" at its beginning, which is how PostgreSQL prints them.
bool IsCheck(const core::PartInfo& part) {
  return part.definition.compare(0, 6, "CHECK ") == 0;
}
bool IsPrimaryKey(const std::string& definition) {
  return definition.compare(0, 12, "PRIMARY KEY ") == 0;
}

}  // namespace

NewRelation::NewRelation(const core::RelationInfo& definition, TableName name, NewRelation* parent,
                         std::string old_root, std::string new_root, UsableTypes& types,
                         NewSequences& sequences, LeftOut* left_out)
    : definition_(definition),
      name_(std::move(name)),
      parent_(parent),
      old_root_(std::move(old_root)),
      new_root_(std::move(new_root)),
      types_(types),
      sequences_(sequences),
      left_out_(left_out) {}

void NewRelation::Refuse(const std::string& what, const std::string& why) const {
  throw Error(sqlstate::kFeatureNotSupported,
              Cat("table \"", name_.ForMessage(), "\" cannot be created: its ", what,
                  " is not accepted from a peer"))
      .WithDetail(Cat("The reason: ", why, "."))
      .WithHint("Create the table first.");
}

ExpressionScope NewRelation::Scope() const {
  ExpressionScope scope;
  scope.columns = known_.data();
  scope.column_count = static_cast<int>(known_.size());
  scope.types = types_.known().data();
  scope.type_count = static_cast<int>(types_.known().size());
  scope.sequences = sequences_.known().data();
  scope.sequence_count = static_cast<int>(sequences_.known().size());
  return scope;
}

NewRelation::Part NewRelation::Find(const core::PartInfo& part, bool constraint) const {
  const core::PartInfo* origin = &part;
  for (const NewRelation* above = parent_; origin->parent; above = above->parent_) {
    if (above == nullptr) return {&part, nullptr};
    const auto& candidates =
        constraint ? above->definition_.constraints : above->definition_.indexes;
    const auto found =
        std::find_if(candidates.begin(), candidates.end(),
                     [&](const core::PartInfo& c) { return c.name == *origin->parent; });
    if (found == candidates.end()) return {&part, nullptr};
    origin = &*found;
  }
  return {&part, &origin->definition};
}

Constraint* NewRelation::AcceptedCheck(const core::PartInfo& part) {
  RequireName(part.name, "a constraint");
  const ExpressionScope scope = Scope();
  Constraint* check = nullptr;
  std::string why;
  if (Accepted(&why, [&]() -> const char* {
        const char* refusal = accept_constraint(part.definition.c_str(), part.name.c_str(),
                                                ExpressionUse::kCheck, scope, &check);
        if (refusal != nullptr) return refusal;
        return check->contype == CONSTR_CHECK ? nullptr : "it is no check";
      })) {
    return check;
  }
  left_out_->Add(name_, Cat("constraint ", QuoteIdentifier(part.name)), why);
  return nullptr;
}

void NewRelation::AddCheck(const core::PartInfo& part, bool own, CreateStmt* create) {
  Constraint* const check = AcceptedCheck(part);
  if (check == nullptr) return;
  if (!check->skip_validation) {
    pg::Call([&] { create->tableElts = lappend(create->tableElts, check); });
  } else if (own) {
    // CREATE TABLE would take it as valid; and partitions must get it from their parent.
    unvalidated_.push_back(&part);
  }
}

void NewRelation::AddUnvalidatedCheck(const core::PartInfo& part) {
  Constraint* const check = AcceptedCheck(part);
  if (check == nullptr) return;
  List* commands = pg::Call([&] {
    auto* command = makeNode(AlterTableCmd);
    command->subtype = AT_AddConstraint;
    command->def = reinterpret_cast<Node*>(check);
    return list_make1(command);
  });
  RunAlterTable(name_, commands, false);
}

bool NewRelation::AddIndexConstraint(const core::PartInfo& part, std::set<std::string>* names,
                                     CreateStmt* create) {
  RequireName(part.name, "a constraint");
  const Part found = Find(part, true);
  const std::string quoted = QuoteIdentifier(part.name);
  if (found.definition == nullptr) {
    left_out_->Add(name_, Cat("constraint ", quoted), "its parent table has none of that name");
    return false;
  }
  const bool key = IsPrimaryKey(*found.definition);
  if (!names->insert(part.name).second) {
    throw Error(core::SqlState("42710"), Cat("constraint \"", part.name, "\" is defined twice"));
  }
  const std::string here = NameHere(part.name);
  const ExpressionScope scope = Scope();
  Constraint* constraint = nullptr;
  std::string why;
  if (!Accepted(&why, [&]() -> const char* {
        const char* refusal = accept_constraint(found.definition->c_str(), here.c_str(),
                                                ExpressionUse::kCheck, scope, &constraint);
        if (refusal != nullptr) return refusal;
        return constraint->contype == CONSTR_PRIMARY || constraint->contype == CONSTR_UNIQUE ||
                       constraint->contype == CONSTR_EXCLUSION
                   ? nullptr
                   : "it belongs elsewhere";
      })) {
    if (key) Refuse("primary key", why);
    left_out_->Add(name_, Cat("constraint ", quoted), why);
    return false;
  }
  List* options = Options(part.options, true, Cat("index ", quoted));
  pg::Call([&] {
    constraint->options = options;
    create->tableElts = lappend(create->tableElts, constraint);
  });
  index_names_[part.name] = here;
  if (part.replica_identity) replica_identity_ = here;
  if (part.clustered) clustered_ = here;
  return key;
}

void NewRelation::AddPrimaryKey(const std::vector<std::string>& names, CreateStmt* create) {
  for (const std::string& name : names) {
    const bool known = std::any_of(columns_.begin(), columns_.end(),
                                   [&](const core::ColumnInfo& c) { return c.name == name; });
    if (known) continue;
    throw Error(sqlstate::kInvalidParameter,
                Cat("the primary key has no column \"", core::Excerpt(name, 100), "\""));
  }
  pg::Call([&] {
    Constraint* constraint = make_column_constraint(CONSTR_PRIMARY, nullptr, '\0');
    for (const std::string& name : names)
      constraint->keys = lappend(constraint->keys, makeString(pstrdup(name.c_str())));
    create->tableElts = lappend(create->tableElts, constraint);
  });
}

void NewRelation::AddConstraints(CreateStmt* create, const std::vector<std::string>& primary_key) {
  // A partition must have the checks of its parents when it is attached.
  for (const NewRelation* above = parent_; above != nullptr; above = above->parent_) {
    for (const core::PartInfo& part : above->definition_.constraints) {
      if (IsCheck(part)) AddCheck(part, false, create);
    }
  }
  bool has_key = false;
  std::set<std::string> names;
  for (const core::PartInfo& part : definition_.constraints) {
    pg::CheckInterrupts();
    if (IsCheck(part)) {
      AddCheck(part, true, create);
    } else {
      has_key |= AddIndexConstraint(part, &names, create);
    }
  }
  if (!has_key && !primary_key.empty()) AddPrimaryKey(primary_key, create);
}

void NewRelation::AddPartitionKey(CreateStmt* create) {
  if (definition_.kind != 'p') return;
  const ExpressionScope scope = Scope();
  PartitionSpec* key = nullptr;
  std::string why;
  if (!Accepted(&why, [&] {
        return accept_partition_key(definition_.partition_key.c_str(), scope, &key);
      })) {
    Refuse("partition key", why);
  }
  create->partspec = key;
}

void NewRelation::AddAccessMethod(CreateStmt* create) {
  if (definition_.access_method.empty()) return;
  std::string why;
  if (!Accepted(&why, [&]() -> const char* {
        const Oid found = get_table_am_oid(definition_.access_method.c_str(), true);
        if (!OidIsValid(found) || !is_provided(AccessMethodRelationId, found)) {
          return "it is not provided here";
        }
        create->accessMethod = pstrdup(definition_.access_method.c_str());
        return nullptr;
      })) {
    left_out_->Add(name_, Cat("access method ", definition_.access_method), why);
  }
}

List* NewRelation::Options(const std::vector<std::string>& options, bool index,
                           const std::string& what) {
  const auto accepted = AcceptStorageOptions(options, index, [&](const std::string& option) {
    left_out_->Add(name_, Cat("parameter ", option, " of ", what), "it is not known");
  });
  return pg::Call([&] { return make_options(accepted); });
}

void NewRelation::Create(const std::vector<std::string>& primary_key) {
  RequireSchema(name_.schema);
  RequireName(name_.name, "a table");
  reserved_.insert(name_.name);
  ResolveColumns();
  auto* create = pg::Call([&] {
    auto* made = makeNode(CreateStmt);
    made->relation = make_range(name_);
    if (definition_.unlogged) made->relation->relpersistence = RELPERSISTENCE_UNLOGGED;
    made->oncommit = ONCOMMIT_NOOP;
    return made;
  });
  for (size_t i = 0; i < columns_.size(); i++)
    AddColumn(i, create);
  AddConstraints(create, primary_key);
  AddPartitionKey(create);
  AddAccessMethod(create);
  create->options = Options(definition_.options, false, "the table");
  RunUtility(reinterpret_cast<Node*>(create));
  reserved_.clear();
  oid_ = FindRelation(name_);
}

void NewRelation::CreateIndexes() {
  const ExpressionScope scope = Scope();
  for (const core::PartInfo& part : definition_.indexes) {
    RequireName(part.name, "an index");
    const Part found = Find(part, false);
    const std::string quoted = QuoteIdentifier(part.name);
    IndexStmt* index = nullptr;
    std::string why = "its parent table has none of that name";
    if (found.definition == nullptr ||
        !Accepted(&why, [&] { return accept_index(found.definition->c_str(), scope, &index); })) {
      left_out_->Add(name_, Cat("index ", quoted), why);
      continue;
    }
    const std::string here = NameHere(part.name);
    List* options = Options(part.options, true, Cat("index ", quoted));
    pg::Call([&] {
      index->idxname = pstrdup(here.c_str());
      index->relation = make_range(name_);
      index->options = options;
    });
    RunUtility(reinterpret_cast<Node*>(index));
    index_names_[part.name] = here;
    if (part.replica_identity) replica_identity_ = here;
    if (part.clustered) clustered_ = here;
  }
}

void NewRelation::Attach(const std::string& text) {
  PartitionBoundSpec* bound = nullptr;
  const ExpressionScope scope = Scope();
  std::string why;
  if (!Accepted(&why, [&] {
        return accept_partition_bound(text.c_str(), parent_->oid_, scope, &bound);
      })) {
    Refuse("bound", why);
  }
  List* commands = pg::Call([&] {
    auto* partition = makeNode(PartitionCmd);
    partition->name = make_range(name_);
    partition->bound = bound;
    auto* command = makeNode(AlterTableCmd);
    command->subtype = AT_AttachPartition;
    command->def = reinterpret_cast<Node*>(partition);
    return list_make1(command);
  });
  RunAlterTable(parent_->name_, commands, false);
}

}  // namespace pgsync::catalog
