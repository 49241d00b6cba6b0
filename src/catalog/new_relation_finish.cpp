// What a new table gets when it stands: storage, comments, foreign keys.
#include "catalog/new_relation.h"

#include "catalog/accept.h"
#include "catalog/new_names.h"
#include "catalog/peer_text.h"
#include "catalog/storage_options.h"
#include "catalog/utility.h"
#include "core/text.h"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "utils/lsyscache.h"
}

namespace pgsync::catalog {

using core::Cat;

void NewRelation::AlterColumns(List** commands) {
  for (size_t i = 0; i < columns_.size(); i++) {
    const core::ColumnInfo& column = columns_[i];
    auto add = [&](int subtype, Node* def) {
      auto* command = makeNode(AlterTableCmd);
      command->subtype = static_cast<AlterTableType>(subtype);
      command->name = pstrdup(column.name.c_str());
      command->def = def;
      *commands = lappend(*commands, command);
    };
    const char* const storage = column.storage == 'p'   ? "plain"
                                : column.storage == 'e' ? "external"
                                : column.storage == 'x' ? "extended"
                                : column.storage == 'm' ? "main"
                                                        : nullptr;
    const auto options = AcceptColumnOptions(column.options, [&](const std::string& option) {
      left_out_->Add(name_, Cat("parameter ", option, " of column ", column.name),
                     "it is not known");
    });
    pg::Call([&] {
      if (storage != nullptr)
        add(AT_SetStorage, reinterpret_cast<Node*>(makeString(pstrdup(storage))));
      if (column.statistics && *column.statistics >= 0 && *column.statistics <= 10000) {
        const int target = static_cast<int>(*column.statistics);
        add(AT_SetStatistics, reinterpret_cast<Node*>(makeInteger(target)));
      }
      if (!options.empty()) add(AT_SetOptions, reinterpret_cast<Node*>(make_options(options)));
    });
  }
}

void NewRelation::Finish() {
  for (const core::PartInfo* part : unvalidated_)
    AddUnvalidatedCheck(*part);
  List* commands = nullptr;
  AlterColumns(&commands);
  pg::Call([&] {
    auto identify = [&](char type, const char* index) {
      auto* identity = makeNode(ReplicaIdentityStmt);
      identity->identity_type = type;
      identity->name = index != nullptr ? pstrdup(index) : nullptr;
      auto* command = makeNode(AlterTableCmd);
      command->subtype = AT_ReplicaIdentity;
      command->def = reinterpret_cast<Node*>(identity);
      commands = lappend(commands, command);
    };
    if (!replica_identity_.empty()) identify('i', replica_identity_.c_str());
    if (definition_.replica_identity == 'f' || definition_.replica_identity == 'n') {
      identify(definition_.replica_identity, nullptr);
    }
    if (!clustered_.empty()) {
      auto* command = makeNode(AlterTableCmd);
      command->subtype = AT_ClusterOn;
      command->name = pstrdup(clustered_.c_str());
      commands = lappend(commands, command);
    }
  });
  if (commands != NIL) RunAlterTable(name_, commands, true);
  CommentOnParts();
}

Oid NewRelation::ConstraintHere(const std::string& constraint) const {
  return pg::Call([&] { return get_relation_constraint_oid(oid_, constraint.c_str(), true); });
}

void NewRelation::CommentOnParts() {
  if (definition_.comment) Comment(RelationRelationId, oid_, 0, *definition_.comment);
  for (size_t i = 0; i < columns_.size(); i++) {
    if (columns_[i].comment) {
      Comment(RelationRelationId, oid_, static_cast<int>(i + 1), *columns_[i].comment);
    }
    const auto identity = identity_names_.find(i);
    if (identity != identity_names_.end() && columns_[i].identity_sequence->comment) {
      Comment(RelationRelationId, FindRelation({name_.schema, identity->second}), 0,
              *columns_[i].identity_sequence->comment);
    }
  }
  for (const core::PartInfo& part : definition_.constraints) {
    const auto named = index_names_.find(part.name);
    const std::string here = named != index_names_.end() ? named->second : part.name;
    if (part.comment) {
      const Oid constraint = ConstraintHere(here);
      if (OidIsValid(constraint)) Comment(ConstraintRelationId, constraint, 0, *part.comment);
    }
    if (part.index_comment && named != index_names_.end()) {
      Comment(RelationRelationId, FindRelation({name_.schema, here}), 0, *part.index_comment);
    }
  }
  for (const core::PartInfo& part : definition_.indexes) {
    const auto named = index_names_.find(part.name);
    if (!part.comment || named == index_names_.end()) continue;
    Comment(RelationRelationId, FindRelation({name_.schema, named->second}), 0, *part.comment);
  }
}

// ---- foreign keys -------------------------------------------------------------------------------

TableName NewRelation::ReadForeignKey(const core::PartInfo& part, Constraint** accepted) {
  RequireName(part.name, "a constraint");
  const ExpressionScope scope = Scope();
  Constraint* constraint = nullptr;
  std::string why;
  if (!Accepted(&why, [&]() -> const char* {
        const char* refusal = accept_constraint(part.definition.c_str(), part.name.c_str(),
                                                ExpressionUse::kCheck, scope, &constraint);
        if (refusal != nullptr) return refusal;
        return constraint->contype == CONSTR_FOREIGN ? nullptr : "it is no foreign key";
      })) {
    left_out_->Add(name_, Cat("foreign key ", QuoteIdentifier(part.name)), why);
    return {};
  }
  *accepted = constraint;
  return {constraint->pktable->schemaname, constraint->pktable->relname};
}

void NewRelation::CreateForeignKey(const core::PartInfo& part, Constraint* constraint,
                                   const Referenced& referenced) {
  const std::string what = Cat("foreign key ", QuoteIdentifier(part.name));
  if (!referenced.refusal.empty()) {
    left_out_->Add(name_, what, referenced.refusal);
    return;
  }
  try {
    pg::InSubXact([&] {
      List* commands = pg::Call([&] {
        constraint->pktable = make_range(referenced.name);
        auto* command = makeNode(AlterTableCmd);
        command->subtype = AT_AddConstraint;
        command->def = reinterpret_cast<Node*>(constraint);
        return list_make1(command);
      });
      RunAlterTable(name_, commands, false);
    });
  } catch (const pg::PgError& error) {
    // The table that it refers to has other columns, or no key there, or belongs to somebody else.
    if (!IsFaultOfText(error)) throw;
    left_out_->Add(name_, what, error.message());
    return;
  }
  const Oid created = ConstraintHere(part.name);
  if (part.comment && OidIsValid(created)) Comment(ConstraintRelationId, created, 0, *part.comment);
}

}  // namespace pgsync::catalog
