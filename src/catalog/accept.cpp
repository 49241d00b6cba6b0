#include "catalog/accept.h"

#include "pg/compat.h"

extern "C" {
#include "access/table.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_oper.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
}

namespace pgsync::catalog {

namespace {

// Four times what one expression may take: an index has several.
constexpr size_t kMaxPartText = 4 * kMaxExpressionText;

// The one statement that the text is; null where it is anything else.
Node* parse_one_statement(const char* sql, NodeTag tag) {
  if (strlen(sql) > kMaxPartText) {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg_internal("it is too long")));
  }
  List* statements = raw_parser(sql, RAW_PARSE_DEFAULT);
  if (list_length(statements) != 1) return nullptr;
  Node* statement = linitial_node(RawStmt, statements)->stmt;
  return nodeTag(statement) == tag ? statement : nullptr;
}

// The one command of an ALTER TABLE.
AlterTableCmd* parse_one_command(const char* sql, AlterTableType subtype) {
  auto* statement = reinterpret_cast<AlterTableStmt*>(parse_one_statement(sql, T_AlterTableStmt));
  if (statement == nullptr || list_length(statement->cmds) != 1) return nullptr;
  auto* command = linitial_node(AlterTableCmd, statement->cmds);
  return command->subtype == subtype ? command : nullptr;
}

struct QualifiedName {
  char* schema;
  char* name;
};

// A name without a schema is printed of what is in pg_catalog, the search_path.
QualifiedName qualified_name(List* names) {
  if (list_length(names) == 1) return {pstrdup("pg_catalog"), strVal(linitial(names))};
  if (list_length(names) == 2) return {strVal(linitial(names)), strVal(lsecond(names))};
  return {nullptr, nullptr};
}

List* name_list(const QualifiedName& name) {
  return list_make2(makeString(name.schema), makeString(name.name));
}

const KnownColumn* find_known_column(const char* name, const ExpressionScope& scope) {
  for (int i = 0; i < scope.column_count; i++) {
    if (strcmp(scope.columns[i].name, name) == 0) return &scope.columns[i];
  }
  return nullptr;
}

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
  *access_method = get_index_am_oid(raw, true);
  if (!OidIsValid(*access_method) || !is_provided(AccessMethodRelationId, *access_method)) {
    return psprintf("access method \"%s\" is not provided here", raw);
  }
  *name = get_am_name(*access_method);
  return nullptr;
}

// An EXCLUDE constraint's operator, as PostgreSQL will find it for that type.
const char* accept_exclusion_operator(List* raw, Oid type, List** accepted) {
  const QualifiedName name = qualified_name(raw);
  if (name.name == nullptr) return "of an operator's name";
  List* names = name_list(name);
  const Oid found = compatible_oper_opid(names, type, type, true);
  if (!OidIsValid(found) || !is_provided(OperatorRelationId, found)) {
    return psprintf("operator %s is not provided here", NameListToString(raw));
  }
  *accepted = names;
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
    List* operator_name = NIL;
    refusal = accept_exclusion_operator(lsecond_node(List, pair), type, &operator_name);
    if (refusal != nullptr) return refusal;
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

bool is_provided(Oid object_class, Oid object) {
  return object < FirstUnpinnedObjectId || OidIsValid(getExtensionOfObject(object_class, object));
}

List* find_collation(List* names) {
  const QualifiedName name = qualified_name(names);
  if (name.name == nullptr) return NIL;
  List* qualified = name_list(name);
  return OidIsValid(get_collation_oid(qualified, true)) ? qualified : NIL;
}

List* find_collation(const char* text) {
  return find_collation(pg::parse_qualified_name(text));
}

List* find_opclass(Oid access_method, List* names) {
  const QualifiedName name = qualified_name(names);
  if (name.name == nullptr) return NIL;
  List* qualified = name_list(name);
  const Oid found = get_opclass_oid(access_method, qualified, true);
  return OidIsValid(found) && is_provided(OperatorClassRelationId, found) ? qualified : NIL;
}

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

const char* accept_partition_key(const char* definition, const ExpressionScope& scope,
                                 PartitionSpec** accepted) {
  auto* statement = reinterpret_cast<CreateStmt*>(
      parse_one_statement(psprintf("CREATE TABLE t () PARTITION BY %s", definition), T_CreateStmt));
  if (statement == nullptr || statement->partspec == nullptr || statement->options != NIL ||
      statement->tablespacename != nullptr || statement->accessMethod != nullptr ||
      statement->oncommit != ONCOMMIT_NOOP) {
    return "it is not one partition key";
  }
  auto* key = makeNode(PartitionSpec);
  key->strategy = statement->partspec->strategy;
  key->location = -1;
  ListCell* cell;
  foreach (cell, statement->partspec->partParams) {
    const auto* raw = lfirst_node(PartitionElem, cell);
    auto* element = makeNode(PartitionElem);
    element->location = -1;
    if (raw->name != nullptr) {
      if (find_known_column(raw->name, scope) == nullptr) {
        return psprintf("there is no column \"%s\"", raw->name);
      }
      element->name = pstrdup(raw->name);
    } else {
      const char* refusal =
          refuse_expression(raw->expr, ExpressionUse::kPartitionKey, scope, nullptr, nullptr);
      if (refusal != nullptr) return refusal;
      element->expr = raw->expr;
    }
    if (raw->collation != NIL) {
      element->collation = find_collation(raw->collation);
      if (element->collation == NIL) return "its collation does not exist here";
    }
    if (raw->opclass != NIL) {
      // Hash partitioning takes classes of hash, the others those of btree.
      element->opclass = find_opclass(HASH_AM_OID, raw->opclass);
      if (element->opclass == NIL) element->opclass = find_opclass(BTREE_AM_OID, raw->opclass);
      if (element->opclass == NIL) return "its operator class is not provided here";
    }
    key->partParams = lappend(key->partParams, element);
  }
  *accepted = key;
  return nullptr;
}

namespace {

// Bounds are computed while the partition is attached: constants only, and of a range the words
// MINVALUE and MAXVALUE, which the grammar gives as names of columns.
const char* accept_bound_values(List* values, bool range, const PartitionKeyData* key,
                                const ExpressionScope& scope) {
  ListCell* cell;
  int position = 0;
  foreach (cell, values) {
    Node* value = static_cast<Node*>(lfirst(cell));
    const int column = range ? position++ : 0;
    if (column >= key->partnatts) return "it has too many values";
    if (range && IsA(value, ColumnRef) && list_length(castNode(ColumnRef, value)->fields) == 1) {
      const Node* field = static_cast<Node*>(linitial(castNode(ColumnRef, value)->fields));
      if (IsA(field, String) &&
          (strcmp(strVal(field), "minvalue") == 0 || strcmp(strVal(field), "maxvalue") == 0)) {
        continue;
      }
    }
    if (!IsA(value, A_Const)) return "it is made of more than constants";
    const ColumnType type = {key->parttypid[column], key->parttypmod[column],
                             key->parttypcoll[column]};
    const char* refusal =
        refuse_expression(value, ExpressionUse::kPartitionBound, scope, &type, nullptr);
    if (refusal != nullptr) return refusal;
  }
  return nullptr;
}

}  // namespace

const char* accept_partition_bound(const char* definition, Oid parent, const ExpressionScope& scope,
                                   PartitionBoundSpec** accepted) {
  AlterTableCmd* command = parse_one_command(
      psprintf("ALTER TABLE t ATTACH PARTITION p %s", definition), AT_AttachPartition);
  if (command == nullptr) return "it is not one bound";
  const PartitionBoundSpec* raw = castNode(PartitionCmd, command->def)->bound;
  if (raw == nullptr) return "it is no bound";
  Relation relation = table_open(parent, AccessShareLock);
  const PartitionKeyData* key = RelationGetPartitionKey(relation);
  const char* refusal = key == nullptr ? "the table is not partitioned"
                                       : accept_bound_values(raw->listdatums, false, key, scope);
  if (refusal == nullptr) refusal = accept_bound_values(raw->lowerdatums, true, key, scope);
  if (refusal == nullptr) refusal = accept_bound_values(raw->upperdatums, true, key, scope);
  table_close(relation, NoLock);
  if (refusal != nullptr) return refusal;
  auto* bound = makeNode(PartitionBoundSpec);
  bound->strategy = raw->strategy;
  bound->is_default = raw->is_default;
  bound->modulus = raw->modulus;
  bound->remainder = raw->remainder;
  bound->listdatums = raw->listdatums;
  bound->lowerdatums = raw->lowerdatums;
  bound->upperdatums = raw->upperdatums;
  bound->location = -1;
  *accepted = bound;
  return nullptr;
}

}  // namespace pgsync::catalog
