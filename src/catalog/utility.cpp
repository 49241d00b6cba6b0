#include "catalog/utility.h"

extern "C" {
#include "access/xact.h"
#include "commands/comment.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
#include "tcop/dest.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
}

namespace pgsync::catalog {

namespace {

// What stands for the text of a statement that has none.
constexpr char kNoText[] = "sync: create table";

// Places in that text would be wrong.
void forget_position(void*) {
  if (geterrposition() > 0) errposition(0);
}

void run_utility(Node* node) {
  auto* statement = makeNode(PlannedStmt);
  statement->commandType = CMD_UTILITY;
  statement->utilityStmt = node;
  statement->stmt_location = -1;

  ErrorContextCallback callback;
  callback.callback = forget_position;
  callback.arg = nullptr;
  callback.previous = error_context_stack;
  error_context_stack = &callback;
  PushActiveSnapshot(GetTransactionSnapshot());
  ProcessUtility(statement, kNoText, false, PROCESS_UTILITY_QUERY, nullptr, nullptr, None_Receiver,
                 nullptr);
  PopActiveSnapshot();
  CommandCounterIncrement();
  error_context_stack = callback.previous;
}

}  // namespace

RangeVar* make_range(const TableName& name) {
  return makeRangeVar(pstrdup(name.schema.c_str()), pstrdup(name.name.c_str()), -1);
}

List* make_names(const TableName& name) {
  return list_make2(makeString(pstrdup(name.schema.c_str())),
                    makeString(pstrdup(name.name.c_str())));
}

ColumnDef* make_column(const char* name, const ColumnType& type, List* collation) {
  auto* column = makeNode(ColumnDef);
  column->colname = pstrdup(name);
  column->typeName = makeTypeNameFromOid(type.type, type.typmod);
  column->is_local = true;
  column->location = -1;
  if (collation != NIL) {
    column->collClause = makeNode(CollateClause);
    column->collClause->collname = collation;
    column->collClause->location = -1;
  }
  return column;
}

Constraint* make_column_constraint(int contype, Node* raw_expr, char when) {
  auto* constraint = makeNode(Constraint);
  constraint->contype = static_cast<ConstrType>(contype);
  constraint->raw_expr = raw_expr;
  constraint->generated_when = when;
  constraint->location = -1;
  return constraint;
}

void RunUtility(Node* statement) {
  pg::CheckInterrupts();
  pg::Call([&] { run_utility(statement); });
}

void RunAlterTable(const TableName& table, List* commands, bool only) {
  Node* statement = pg::Call([&] {
    auto* alter = makeNode(AlterTableStmt);
    alter->relation = make_range(table);
    alter->relation->inh = !only;
    alter->cmds = commands;
    alter->objtype = OBJECT_TABLE;
    return reinterpret_cast<Node*>(alter);
  });
  RunUtility(statement);
}

void Comment(Oid object_class, Oid object, int part, const std::string& comment) {
  pg::Call([&] { CreateComments(object, object_class, part, comment.c_str()); });
}

}  // namespace pgsync::catalog
