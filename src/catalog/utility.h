// Statements built as trees, and run.
#pragma once

#include "catalog/expression.h"
#include "catalog/names.h"

struct AlterTableCmd;
struct ColumnDef;
struct Constraint;
struct List;
struct RangeVar;

namespace pgsync::catalog {

// For leaves.
RangeVar* make_range(const TableName& name);
List* make_names(const TableName& name);
ColumnDef* make_column(const char* name, const ColumnType& type, List* collation);
/// A constraint of a column that an expression goes with, or none.
Constraint* make_column_constraint(int contype, Node* raw_expr, char when);

/// Runs a utility statement as the current user, in full: event triggers fire. Raises what it
/// raises; to be called under WithPlainSettings().
void RunUtility(Node* statement);

/// ALTER TABLE with these commands; `only`: not the partitions.
void RunAlterTable(const TableName& table, List* commands, bool only);

/// COMMENT ON; `part` is the number of a column, or 0.
void Comment(Oid object_class, Oid object, int part, const std::string& comment);

}  // namespace pgsync::catalog
