#include "catalog/peer_text.h"

extern "C" {
#include "parser/parser.h"
}

namespace pgsync::catalog {

namespace {

// Four times what one expression may take: an index has several.
constexpr size_t kMaxPartText = 4 * kMaxExpressionText;

void require_no_longer(const char* text, size_t limit) {
  if (strlen(text) > limit) {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg_internal("it is too long")));
  }
}

// Null unless there is but one.
Node* parse_one(const char* sql) {
  List* statements = raw_parser(sql, RAW_PARSE_DEFAULT);
  return list_length(statements) == 1 ? linitial_node(RawStmt, statements)->stmt : nullptr;
}

}  // namespace

Node* parse_one_expression(const char* text) {
  require_no_longer(text, kMaxExpressionText);
  Node* statement = parse_one(psprintf("SELECT %s", text));
  if (statement == nullptr || !IsA(statement, SelectStmt)) return nullptr;
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

Node* parse_one_statement(const char* sql, NodeTag tag) {
  require_no_longer(sql, kMaxPartText);
  Node* statement = parse_one(sql);
  return statement != nullptr && nodeTag(statement) == tag ? statement : nullptr;
}

AlterTableCmd* parse_one_command(const char* sql, AlterTableType subtype) {
  auto* statement = reinterpret_cast<AlterTableStmt*>(parse_one_statement(sql, T_AlterTableStmt));
  if (statement == nullptr || list_length(statement->cmds) != 1) return nullptr;
  auto* command = linitial_node(AlterTableCmd, statement->cmds);
  return command->subtype == subtype ? command : nullptr;
}

}  // namespace pgsync::catalog
