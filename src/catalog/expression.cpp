#include "catalog/expression.h"

#include "pg/compat.h"

extern "C" {
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace pgsync::catalog {

namespace {

constexpr int kMaxDepth = 50;

// Volatile or stable, but harmless as a default: what each row is to have of its own.
bool is_welcome_function(Oid function) {
  switch (function) {
    case F_NOW:
    case F_STATEMENT_TIMESTAMP:
    case F_TRANSACTION_TIMESTAMP:
    case F_CLOCK_TIMESTAMP:
    case F_GEN_RANDOM_UUID:
    case F_RANDOM:
      return true;
    default:
      return false;
  }
}

// A function that PostgreSQL implements itself and whose result depends on its arguments alone.
bool is_harmless_function(Oid function) {
  if (is_welcome_function(function)) return true;
  if (function >= FirstGenbkiObjectId) return false;
  HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) return false;
  auto* form = (Form_pg_proc)GETSTRUCT(tuple);
  const bool harmless = form->prolang == INTERNALlanguageId &&
                        form->provolatile == PROVOLATILE_IMMUTABLE &&
                        form->pronamespace == PG_CATALOG_NAMESPACE && !form->proretset &&
                        form->prokind == PROKIND_FUNCTION;
  ReleaseSysCache(tuple);
  return harmless;
}

bool is_builtin_type(Oid type) {
  return type < FirstGenbkiObjectId;
}

struct Inspection {
  const ExpressionScope* scope;
  ExpressionUse use;
  int depth;
  const char* refusal;
};

// Types of columns are allowed whatever they are: to hold a value is not to compute with it.
bool is_allowed_type(Oid type, const ExpressionScope& scope) {
  if (is_builtin_type(type)) return true;
  const Oid element = get_element_type(type);
  if (OidIsValid(element)) return is_allowed_type(element, scope);
  for (int i = 0; i < scope.type_count; i++) {
    if (type == scope.types[i]) return true;
  }
  for (int i = 0; i < scope.column_count; i++) {
    const Oid column = scope.columns[i].type.type;
    if (type == column || type == getBaseType(column) || type == get_element_type(column)) {
      return true;
    }
  }
  return type == scope.value.type;
}

bool inspect_node(Node* node, void* context);

bool refuse(Inspection* inspection, const char* why) {
  if (inspection->refusal == nullptr) inspection->refusal = why;
  return true;  // ends the walk
}

bool is_refused_function(Oid function, void*) {
  return !is_harmless_function(function);
}

bool inspect_children(Node* node, Inspection* inspection) {
  inspection->depth++;
  const bool stopped = inspection->depth > kMaxDepth
                           ? refuse(inspection, "it nests too deep")
                           : pg::walk_expression(node, inspect_node, inspection);
  inspection->depth--;
  return stopped;
}

// nextval() of a sequence that was made for this table, in a default.
bool is_known_nextval(const Node* node, const Inspection& inspection) {
  if (inspection.use != ExpressionUse::kDefault || !IsA(node, FuncExpr)) return false;
  const auto* call = reinterpret_cast<const FuncExpr*>(node);
  if (call->funcid != F_NEXTVAL || list_length(call->args) != 1) return false;
  const Node* argument = static_cast<Node*>(linitial(call->args));
  if (!IsA(argument, Const) || reinterpret_cast<const Const*>(argument)->constisnull) return false;
  const Oid sequence = DatumGetObjectId(reinterpret_cast<const Const*>(argument)->constvalue);
  for (int i = 0; i < inspection.scope->sequence_count; i++) {
    if (inspection.scope->sequences[i].oid == sequence) return true;
  }
  return false;
}

// An operator of another schema may have a commutator of its own, which the planner would call.
bool is_builtin_operator(const Node* node) {
  switch (nodeTag(node)) {
    case T_OpExpr:
    case T_DistinctExpr:
    case T_NullIfExpr:
      return reinterpret_cast<const OpExpr*>(node)->opno < FirstGenbkiObjectId;
    case T_ScalarArrayOpExpr:
      return reinterpret_cast<const ScalarArrayOpExpr*>(node)->opno < FirstGenbkiObjectId;
    case T_RowCompareExpr: {
      ListCell* cell;
      foreach (cell, reinterpret_cast<const RowCompareExpr*>(node)->opnos) {
        if (lfirst_oid(cell) >= FirstGenbkiObjectId) return false;
      }
      return true;
    }
    default:
      return true;
  }
}

bool inspect_node(Node* node, void* context) {
  auto* inspection = static_cast<Inspection*>(context);
  if (node == nullptr) return false;
  // A domain may check with a function of its own, a type read with one.
  if (!IsA(node, List) && !is_allowed_type(exprType(node), *inspection->scope)) {
    return refuse(inspection, "it uses a type that is not built in");
  }
  switch (nodeTag(node)) {
    case T_List:
      return inspect_children(node, inspection);
    case T_Const:
    case T_Var:
    case T_CaseTestExpr:
    case T_CoerceToDomainValue:
    case T_SQLValueFunction:  // CURRENT_TIMESTAMP, CURRENT_USER and their like
      return false;
    case T_FuncExpr:
    case T_OpExpr:
    case T_DistinctExpr:
    case T_NullIfExpr:
    case T_ScalarArrayOpExpr:
    case T_RowCompareExpr:
    case T_MinMaxExpr:
      if (is_known_nextval(node, *inspection)) return false;
      if (check_functions_in_node(node, is_refused_function, nullptr)) {
        return refuse(inspection, "it calls a function that is not built in and immutable");
      }
      if (!is_builtin_operator(node)) {
        return refuse(inspection, "it uses an operator that is not built in");
      }
      return inspect_children(node, inspection);
    case T_CoerceViaIO:
    case T_ArrayCoerceExpr:
    case T_RelabelType:
    case T_CoerceToDomain:
    case T_BoolExpr:
    case T_NullTest:
    case T_BooleanTest:
    case T_CaseExpr:
    case T_CaseWhen:
    case T_CoalesceExpr:
    case T_ArrayExpr:
    case T_RowExpr:
    case T_CollateExpr:
      return inspect_children(node, inspection);
    default:
      return refuse(inspection, "it uses something that is not allowed here");
  }
}

// ---- names in the raw tree ----------------------------------------------------------------------

// The only names that a column reference finds are those of the table's own columns.
Node* find_column(ParseState* state, ColumnRef* reference) {
  const auto* scope = static_cast<const ExpressionScope*>(state->p_ref_hook_state);
  if (list_length(reference->fields) != 1) return nullptr;
  const Node* field = static_cast<Node*>(linitial(reference->fields));
  if (!IsA(field, String)) return nullptr;
  const char* name = strVal(field);
  if (OidIsValid(scope->value.type)) {
    if (strcmp(name, "value") != 0) return nullptr;
    auto* value = makeNode(CoerceToDomainValue);
    value->typeId = scope->value.type;
    value->typeMod = scope->value.typmod;
    value->collation = scope->value.collation;
    value->location = -1;
    return reinterpret_cast<Node*>(value);
  }
  const KnownColumn* column = find_known_column(name, *scope);
  if (column == nullptr) return nullptr;
  const auto number = static_cast<AttrNumber>(column - scope->columns + 1);
  return reinterpret_cast<Node*>(
      makeVar(1, number, column->type.type, column->type.typmod, column->type.collation, 0));
}

// A string constant under a cast to regclass; null where the node is none.
A_Const* regclass_constant(Node* node) {
  if (!IsA(node, TypeCast)) return nullptr;
  auto* cast = castNode(TypeCast, node);
  if (cast->arg == nullptr || !IsA(cast->arg, A_Const) || cast->typeName->names == NIL) {
    return nullptr;
  }
  auto* constant = castNode(A_Const, cast->arg);
  if (constant->isnull || !IsA(&constant->val, String)) return nullptr;
  return strcmp(strVal(llast(cast->typeName->names)), "regclass") == 0 ? constant : nullptr;
}

// 'name'::regclass of a known sequence becomes 'OID'::regclass, for it may have another name here.
void name_sequences(Node* node, const ExpressionScope& scope) {
  if (node == nullptr) return;
  check_stack_depth();
  ListCell* cell;
  switch (nodeTag(node)) {
    case T_List:
      foreach (cell, reinterpret_cast<List*>(node))
        name_sequences(static_cast<Node*>(lfirst(cell)), scope);
      return;
    case T_FuncCall:
      return name_sequences(reinterpret_cast<Node*>(castNode(FuncCall, node)->args), scope);
    case T_A_Expr:
      name_sequences(castNode(A_Expr, node)->lexpr, scope);
      return name_sequences(castNode(A_Expr, node)->rexpr, scope);
    case T_CoalesceExpr:
      return name_sequences(reinterpret_cast<Node*>(castNode(CoalesceExpr, node)->args), scope);
    case T_CaseExpr: {
      auto* expression = castNode(CaseExpr, node);
      name_sequences(reinterpret_cast<Node*>(expression->args), scope);
      return name_sequences(reinterpret_cast<Node*>(expression->defresult), scope);
    }
    case T_CaseWhen:
      return name_sequences(reinterpret_cast<Node*>(castNode(CaseWhen, node)->result), scope);
    case T_TypeCast: {
      A_Const* constant = regclass_constant(node);
      if (constant == nullptr) return name_sequences(castNode(TypeCast, node)->arg, scope);
      List* names = pg::parse_qualified_name(strVal(&constant->val));
      const char* schema = list_length(names) == 2 ? strVal(linitial(names)) : "public";
      if (list_length(names) > 2) return;
      for (int i = 0; i < scope.sequence_count; i++) {
        const KnownSequence& sequence = scope.sequences[i];
        if (strcmp(sequence.schema, schema) != 0) continue;
        if (strcmp(sequence.name, strVal(llast(names))) != 0) continue;
        constant->val.sval.sval = psprintf("%u", sequence.oid);
        return;
      }
      return;
    }
    default:
      return;
  }
}

ParseExprKind kind_of(ExpressionUse use) {
  switch (use) {
    case ExpressionUse::kDefault:
      return EXPR_KIND_COLUMN_DEFAULT;
    case ExpressionUse::kGenerated:
      return EXPR_KIND_GENERATED_COLUMN;
    case ExpressionUse::kCheck:
      return EXPR_KIND_CHECK_CONSTRAINT;
    case ExpressionUse::kDomainCheck:
      return EXPR_KIND_DOMAIN_CHECK;
    case ExpressionUse::kIndexExpression:
      return EXPR_KIND_INDEX_EXPRESSION;
    case ExpressionUse::kIndexPredicate:
      return EXPR_KIND_INDEX_PREDICATE;
    case ExpressionUse::kPartitionKey:
      return EXPR_KIND_PARTITION_EXPRESSION;
    case ExpressionUse::kPartitionBound:
      return EXPR_KIND_PARTITION_BOUND;
  }
  return EXPR_KIND_OTHER;
}

bool is_condition(ExpressionUse use) {
  return use == ExpressionUse::kCheck || use == ExpressionUse::kDomainCheck ||
         use == ExpressionUse::kIndexPredicate;
}

// Where PostgreSQL itself would raise an error.
bool must_be_immutable(ExpressionUse use) {
  return use == ExpressionUse::kGenerated || use == ExpressionUse::kIndexExpression ||
         use == ExpressionUse::kIndexPredicate || use == ExpressionUse::kPartitionKey;
}

}  // namespace

const KnownColumn* find_known_column(const char* name, const ExpressionScope& scope) {
  for (int i = 0; i < scope.column_count; i++) {
    if (strcmp(scope.columns[i].name, name) == 0) return &scope.columns[i];
  }
  return nullptr;
}

const char* refuse_expression(Node* raw, ExpressionUse use, const ExpressionScope& scope,
                              const ColumnType* target, ColumnType* result) {
  if (use == ExpressionUse::kDefault) name_sequences(raw, scope);
  ParseState* state = make_parsestate(nullptr);
  state->p_pre_columnref_hook = find_column;
  ExpressionScope visible = scope;
  if (use == ExpressionUse::kDefault || use == ExpressionUse::kPartitionBound) {
    visible.column_count = 0;
    visible.value = ColumnType();
  }
  state->p_ref_hook_state = &visible;
  // Transforming may change the raw tree, which is to be transformed again by PostgreSQL itself.
  auto* expression = transformExpr(state, static_cast<Node*>(copyObjectImpl(raw)), kind_of(use));
  if (is_condition(use)) expression = coerce_to_boolean(state, expression, "a condition");
  if (target != nullptr) {
    expression =
        coerce_to_target_type(state, expression, exprType(expression), target->type, target->typmod,
                              COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
    if (expression == nullptr) return "it has another type than the column";
  }
  assign_expr_collations(state, expression);
  Inspection inspection = {&scope, use, 0, nullptr};
  if (inspect_node(expression, &inspection)) return inspection.refusal;
  if (must_be_immutable(use) && contain_mutable_functions(expression)) {
    return "it is not immutable";
  }
  if (result != nullptr) {
    result->type = exprType(expression);
    result->typmod = exprTypmod(expression);
    result->collation = exprCollation(expression);
  }
  return nullptr;
}

}  // namespace pgsync::catalog
