// How a peer's table is partitioned, as accept.h does it with constraints and indexes.
#pragma once

#include "catalog/expression.h"

struct PartitionBoundSpec;
struct PartitionSpec;

namespace pgsync::catalog {

/// What stands after PARTITION BY.
const char* accept_partition_key(const char* definition, const ExpressionScope& scope,
                                 PartitionSpec** accepted);

/// A bound as pg_get_expr() prints it, for a partition of that table, which exists.
const char* accept_partition_bound(const char* definition, Oid parent, const ExpressionScope& scope,
                                   PartitionBoundSpec** accepted);

}  // namespace pgsync::catalog
