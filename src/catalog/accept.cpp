#include "catalog/accept.h"

#include "catalog/peer_text.h"
#include "catalog/provided.h"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
}

namespace pgsync::catalog {

namespace {

// A list of String nodes, each the name of a column.
const char* accept_columns(List* names, const ExpressionScope& scope, List** accepted) {
  ListCell* cell;
  foreach (cell, names) {
    const char* name = strVal(lfirst(cell));
    if (find_known_column(name, scope) == nullptr) {
      return psprintf("there is no column \"%s\"", name);
    }
    *accepted = lappend(*accepted, makeString(pstrdup(name)));
  }
  return nullptr;
}

// What a column of an index is made of, and the type that it has then.
const char* accept_index_element(IndexElem* raw, Oid access_method, const ExpressionScope& scope,
                                 IndexElem** accepted, Oid* type) {
  auto* element = makeNode(IndexElem);
  ColumnType column;
  if (raw->name != nullptr) {
    const KnownColumn* known = find_known_column(raw->name, scope);
    if (known == nullptr) return psprintf("there is no column \"%s\"", raw->name);
    column = known->type;
    element->name = pstrdup(raw->name);
  } else {
    const char* refusal =
        refuse_expression(raw->expr, ExpressionUse::kIndexExpression, scope, nullptr, &column);
    if (refusal != nullptr) return refusal;
    element->expr = raw->expr;
  }
  if (raw->collation != NIL) {
    element->collation = find_collation(raw->collation);
    if (element->collation == NIL) {
      return psprintf("collation %s does not exist here", NameListToString(raw->collation));
    }
  }
  if (raw->opclass != NIL) {
    element->opclass = find_opclass(access_method, raw->opclass);
    if (element->opclass == NIL) {
      return psprintf("operator class %s is not provided here", NameListToString(raw->opclass));
    }
  } else if (OidIsValid(access_method) &&
             !OidIsValid(GetDefaultOpClass(column.type, access_method))) {
    return psprintf("type %s has no operator class for %s here", format_type_be(column.type),
                    get_am_name(access_method));
  }
  ListCell* cell;
  foreach (cell, raw->opclassopts) {
    auto* option = lfirst_node(DefElem, cell);
    if (option->defnamespace != nullptr || option->arg == nullptr) return "of its options";
    element->opclassopts =
        lappend(element->opclassopts,
                makeDefElem(pstrdup(option->defname),
                            reinterpret_cast<Node*>(makeString(defGetString(option))), -1));
  }
  element->ordering = raw->ordering;
  element->nulls_ordering = raw->nulls_ordering;
  *accepted = element;
  *type = column.type;
  return nullptr;
}

const char* accept_access_method(const char* raw, Oid* access_method, char** name) {
  *access_method = find_index_method(raw);
  if (!OidIsValid(*access_method))
    return psprintf("access method \"%s\" is not provided here", raw);
  *name = get_am_name(*access_method);
  return nullptr;
}

const char* accept_exclusion(const Constraint* raw, const ExpressionScope& scope,
                             Constraint* constraint) {
  Oid access_method;
  if (raw->access_method == nullptr || raw->exclusions == NIL) return "it excludes nothing";
  const char* refusal =
      accept_access_method(raw->access_method, &access_method, &constraint->access_method);
  if (refusal != nullptr) return refusal;
  ListCell* cell;
  foreach (cell, raw->exclusions) {
    List* pair = lfirst_node(List, cell);
    IndexElem* element = nullptr;
    Oid type = InvalidOid;
    refusal =
        accept_index_element(linitial_node(IndexElem, pair), access_method, scope, &element, &type);
    if (refusal != nullptr) return refusal;
    List* names = lsecond_node(List, pair);
    List* operator_name = find_operator(names, type);
    if (operator_name == NIL) {
      return psprintf("operator %s is not provided here", NameListToString(names));
    }
    constraint->exclusions = lappend(constraint->exclusions, list_make2(element, operator_name));
  }
  if (raw->where_clause != nullptr) {
    refusal = refuse_expression(raw->where_clause, ExpressionUse::kIndexPredicate, scope, nullptr,
                                nullptr);
    if (refusal != nullptr) return refusal;
    constraint->where_clause = raw->where_clause;
  }
  return accept_columns(raw->including, scope, &constraint->including);
}

const char* accept_foreign_key(const Constraint* raw, const ExpressionScope& scope,
                               Constraint* constraint) {
  if (raw->pktable == nullptr || raw->pktable->schemaname == nullptr) {
    return "the table that it refers to has no schema";
  }
  constraint->pktable =
      makeRangeVar(pstrdup(raw->pktable->schemaname), pstrdup(raw->pktable->relname), -1);
  constraint->pk_attrs = raw->pk_attrs;
  constraint->fk_matchtype = raw->fk_matchtype;
  constraint->fk_upd_action = raw->fk_upd_action;
  constraint->fk_del_action = raw->fk_del_action;
  const char* refusal = accept_columns(raw->fk_del_set_cols, scope, &constraint->fk_del_set_cols);
  if (refusal != nullptr) return refusal;
  return accept_columns(raw->fk_attrs, scope, &constraint->fk_attrs);
}

}  // namespace

const char* accept_constraint(const char* definition, const char* name, ExpressionUse use,
                              const ExpressionScope& scope, Constraint** accepted) {
  AlterTableCmd* command = parse_one_command(
      psprintf("ALTER TABLE t ADD CONSTRAINT c %s", definition), AT_AddConstraint);
  if (command == nullptr) return "it is not one constraint";
  const auto* raw = castNode(Constraint, command->def);
  auto* constraint = makeNode(Constraint);
  constraint->contype = raw->contype;
  constraint->conname = pstrdup(name);
  constraint->location = -1;
  constraint->deferrable = raw->deferrable;
  constraint->initdeferred = raw->initdeferred;
  constraint->skip_validation = raw->skip_validation;
  constraint->initially_valid = raw->initially_valid;
  *accepted = constraint;
  switch (raw->contype) {
    case CONSTR_CHECK:
      constraint->is_no_inherit = raw->is_no_inherit;
      constraint->raw_expr = raw->raw_expr;
      return refuse_expression(raw->raw_expr, use, scope, nullptr, nullptr);
    case CONSTR_PRIMARY:
    case CONSTR_UNIQUE: {
      if (raw->keys == NIL) return "it has no columns";
      constraint->nulls_not_distinct = raw->nulls_not_distinct;
      const char* refusal = accept_columns(raw->keys, scope, &constraint->keys);
      if (refusal != nullptr) return refusal;
      ListCell* cell;
      foreach (cell, raw->keys) {
        const Oid type = find_known_column(strVal(lfirst(cell)), scope)->type.type;
        if (!OidIsValid(GetDefaultOpClass(type, BTREE_AM_OID))) {
          return psprintf("type %s has no operator class for btree here", format_type_be(type));
        }
      }
      return accept_columns(raw->including, scope, &constraint->including);
    }
    case CONSTR_EXCLUSION:
      return accept_exclusion(raw, scope, constraint);
    case CONSTR_FOREIGN:
      return accept_foreign_key(raw, scope, constraint);
    default:
      return "it is no constraint of a table";
  }
}

const char* accept_index(const char* definition, const ExpressionScope& scope,
                         IndexStmt** accepted) {
  auto* raw = reinterpret_cast<IndexStmt*>(parse_one_statement(definition, T_IndexStmt));
  if (raw == nullptr) return "it is not one index";
  auto* index = makeNode(IndexStmt);
  Oid access_method;
  const char* refusal =
      accept_access_method(raw->accessMethod, &access_method, &index->accessMethod);
  if (refusal != nullptr) return refusal;
  ListCell* cell;
  foreach (cell, raw->indexParams) {
    IndexElem* element = nullptr;
    Oid type = InvalidOid;
    refusal =
        accept_index_element(lfirst_node(IndexElem, cell), access_method, scope, &element, &type);
    if (refusal != nullptr) return refusal;
    index->indexParams = lappend(index->indexParams, element);
  }
  foreach (cell, raw->indexIncludingParams) {
    const char* name = lfirst_node(IndexElem, cell)->name;
    if (name == nullptr || find_known_column(name, scope) == nullptr) {
      return "it includes what is no column";
    }
    auto* element = makeNode(IndexElem);
    element->name = pstrdup(name);
    index->indexIncludingParams = lappend(index->indexIncludingParams, element);
  }
  if (raw->whereClause != nullptr) {
    refusal = refuse_expression(raw->whereClause, ExpressionUse::kIndexPredicate, scope, nullptr,
                                nullptr);
    if (refusal != nullptr) return refusal;
    index->whereClause = raw->whereClause;
  }
  index->unique = raw->unique;
  index->nulls_not_distinct = raw->nulls_not_distinct;
  *accepted = index;
  return nullptr;
}

}  // namespace pgsync::catalog
