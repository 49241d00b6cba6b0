// Constraints, indexes and partitioning that came from a peer, as PostgreSQL prints them. They are
// parsed; of the tree only what is known is taken over into a new one, each name looked up and each
// expression inspected. All of this is for leaves that run under WithPlainSettings(); functions
// return null where the part is accepted, else the reason.
#pragma once

#include "catalog/expression.h"
#include "catalog/peer_text.h"

struct Constraint;
struct IndexStmt;
struct List;
struct PartitionBoundSpec;
struct PartitionSpec;

namespace pgsync::catalog {

/// A constraint as pg_get_constraintdef() prints it. `use` tells whether checks are a table's or a
/// domain's. A foreign key's table is as the peer names it.
const char* accept_constraint(const char* definition, const char* name, ExpressionUse use,
                              const ExpressionScope& scope, Constraint** accepted);

/// An index as pg_get_indexdef() prints it, without name, table and storage parameters.
const char* accept_index(const char* definition, const ExpressionScope& scope,
                         IndexStmt** accepted);

/// What stands after PARTITION BY.
const char* accept_partition_key(const char* definition, const ExpressionScope& scope,
                                 PartitionSpec** accepted);

/// A bound as pg_get_expr() prints it, for a partition of that table, which exists.
const char* accept_partition_bound(const char* definition, Oid parent, const ExpressionScope& scope,
                                   PartitionBoundSpec** accepted);

/// The [schema, name] list of a collation that exists, or null: raw names without a schema are
/// those of pg_catalog.
List* find_collation(List* names);
/// The same from text, "schema.name" as SQL writes it.
List* find_collation(const char* text);
/// An operator class that is built in or an extension's.
List* find_opclass(Oid access_method, List* names);

/// Built in, or a member of an extension.
bool is_provided(Oid object_class, Oid object);

}  // namespace pgsync::catalog
