// Constraints and indexes that came from a peer, as PostgreSQL prints them. They are parsed; of the
// tree only what is known is taken over into a new one, each name looked up and each expression
// inspected. All of this is for leaves that run under WithPlainSettings(); functions return null
// where the part is accepted, else the reason.
#pragma once

#include "catalog/expression.h"

struct Constraint;
struct IndexStmt;

namespace pgsync::catalog {

/// A constraint as pg_get_constraintdef() prints it. `use` tells whether checks are a table's or a
/// domain's. A foreign key's table is as the peer names it.
const char* accept_constraint(const char* definition, const char* name, ExpressionUse use,
                              const ExpressionScope& scope, Constraint** accepted);

/// An index as pg_get_indexdef() prints it, without name, table and storage parameters.
const char* accept_index(const char* definition, const ExpressionScope& scope,
                         IndexStmt** accepted);

}  // namespace pgsync::catalog
