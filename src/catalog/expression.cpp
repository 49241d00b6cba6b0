#include "catalog/expression.h"

#include "pg/compat.h"
#include "pg/subxact.h"

extern "C" {
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
}

namespace pgsync::catalog {

namespace {

constexpr size_t kMaxText = 10 * 1024;
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
  const Oid element = get_element_type(type);
  return (OidIsValid(element) ? element : type) < FirstGenbkiObjectId;
}

struct Inspection {
  int depth;
  Oid column_type;
  const char* refusal;
};

// The column's own type is allowed whatever it is.
bool is_allowed_type(Oid type, const Inspection& inspection) {
  return is_builtin_type(type) || type == inspection.column_type ||
         type == getBaseType(inspection.column_type);
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

bool inspect_node(Node* node, void* context) {
  auto* inspection = static_cast<Inspection*>(context);
  if (node == nullptr) return false;
  // A domain may check with a function of its own, a type read with one.
  if (!IsA(node, List) && !is_allowed_type(exprType(node), *inspection)) {
    return refuse(inspection, "it uses a type that is not built in");
  }
  switch (nodeTag(node)) {
    case T_List:
      return inspect_children(node, inspection);
    case T_Const:
    case T_CaseTestExpr:
    case T_SQLValueFunction:  // CURRENT_TIMESTAMP, CURRENT_USER and their like
      return false;
    case T_FuncExpr:
    case T_OpExpr:
    case T_DistinctExpr:
    case T_NullIfExpr:
    case T_ScalarArrayOpExpr:
    case T_MinMaxExpr:
      if (check_functions_in_node(node, is_refused_function, nullptr)) {
        return refuse(inspection, "it calls a function that is not built in and immutable");
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

// The one expression that the text is, raw; null where it is anything else.
Node* parse_one_expression(const char* text) {
  List* statements = raw_parser(psprintf("SELECT %s", text), RAW_PARSE_DEFAULT);
  if (list_length(statements) != 1) return nullptr;
  Node* statement = linitial_node(RawStmt, statements)->stmt;
  if (!IsA(statement, SelectStmt)) return nullptr;
  auto* select = castNode(SelectStmt, statement);
  const bool plain = select->distinctClause == NIL && select->intoClause == nullptr &&
                     select->fromClause == NIL && select->whereClause == nullptr &&
                     select->groupClause == NIL && select->havingClause == nullptr &&
                     select->windowClause == NIL && select->valuesLists == NIL &&
                     select->sortClause == NIL && select->limitOffset == nullptr &&
                     select->limitCount == nullptr && select->lockingClause == NIL &&
                     select->withClause == nullptr && select->op == SETOP_NONE;
  if (!plain || list_length(select->targetList) != 1) return nullptr;
  auto* target = linitial_node(ResTarget, select->targetList);
  if (target->name != nullptr || target->indirection != NIL) return nullptr;
  return target->val;
}

const char* accept_default(const char* text, const ColumnType& column, const char** why) {
  Node* raw = parse_one_expression(text);
  if (raw == nullptr) {
    *why = "it is not one expression";
    return nullptr;
  }
  ParseState* state = make_parsestate(nullptr);
  Node* expression = transformExpr(state, raw, EXPR_KIND_COLUMN_DEFAULT);
  const Oid type = exprType(expression);
  expression = coerce_to_target_type(state, expression, type, column.type, column.typmod,
                                     COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
  if (expression == nullptr) {
    *why = "it has another type than the column";
    return nullptr;
  }
  assign_expr_collations(state, expression);
  Inspection inspection = {0, column.type, nullptr};
  if (inspect_node(expression, &inspection)) {
    *why = inspection.refusal;
    return nullptr;
  }
  return deparse_expression(expression, NIL, false, false);
}

}  // namespace

std::optional<std::string> AcceptDefault(const std::string& text, const ColumnType& column,
                                         std::string* why) {
  if (text.size() > kMaxText) {
    *why = "it is too long";
    return std::nullopt;
  }
  const char* printed = nullptr;
  const char* refusal = nullptr;
  try {
    pg::InSubXact([&] {
      pg::Call([&] {
        const int guc_level = NewGUCNestLevel();
        (void)set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
                                GUC_ACTION_SAVE, true, 0, false);
        printed = accept_default(text.c_str(), column, &refusal);
        AtEOXact_GUC(true, guc_level);
      });
    });
  } catch (const pg::PgError& error) {
    // What does not parse, or calls what does not exist here, is refused like the rest; anything
    // else (a cancel) is not ours to survive.
    const auto category = error.state().Class();
    if (category != "42" && category != "22" && category != "54" && category != "0A") throw;
    *why = error.message();
    return std::nullopt;
  }
  if (printed == nullptr) {
    *why = refusal != nullptr ? refusal : "it is not allowed";
    return std::nullopt;
  }
  return std::string(printed);
}

}  // namespace pgsync::catalog
