// Expressions that came from a peer. They are data: parsed, and looked at node by node in the very
// form in which PostgreSQL would run them; what passes goes on as a tree, never as text. All of
// this is for leaves that run under WithPlainSettings().
#pragma once

#include "pg/guard.h"

struct Node;

namespace pgsync::catalog {

struct ColumnType {
  Oid type = InvalidOid;
  int32 typmod = -1;
  Oid collation = InvalidOid;
};

/// A column of the table that is being made, by its place.
struct KnownColumn {
  const char* name;
  ColumnType type;
};

/// A sequence that was made for the table: its name at the peer, and what it is here.
struct KnownSequence {
  const char* schema;
  const char* name;
  Oid oid;
};

/// What an expression may refer to.
struct ExpressionScope {
  const KnownColumn* columns = nullptr;
  int column_count = 0;
  /// Types that were made, or found to be the same, for this call.
  const Oid* types = nullptr;
  int type_count = 0;
  const KnownSequence* sequences = nullptr;
  int sequence_count = 0;
  ColumnType value;  ///< what VALUE is in a domain's check
};

enum class ExpressionUse {
  kDefault,
  kGenerated,
  kCheck,
  kDomainCheck,
  kIndexExpression,
  kIndexPredicate,
  kPartitionKey,
  kPartitionBound,
};

/// The scope's column of that name, null where there is none.
const KnownColumn* find_known_column(const char* name, const ExpressionScope& scope);

/// Null if a raw expression is accepted, else the reason. Accepted are constants, columns, casts
/// between built-in types and those of the call, CASE, COALESCE and their like, immutable functions
/// and operators that PostgreSQL implements itself, and where they make sense the current time,
/// random values, and nextval() of a sequence of the scope (whose name in the tree is replaced by
/// its OID). `target`: what it is assigned to, null where nothing is coerced; conditions become
/// boolean. `result` is set to its type.
const char* refuse_expression(Node* raw, ExpressionUse use, const ExpressionScope& scope,
                              const ColumnType* target, ColumnType* result);

}  // namespace pgsync::catalog
