// A table as data, read from the catalogs.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "catalog/names.h"
#include "catalog/types.h"
#include "core/table_info.h"

namespace pgsync::catalog {

struct Column {
  std::string name;
  int16 number = 0;
  Oid type = InvalidOid;
  int32 typmod = -1;
  Oid collation = InvalidOid;
  bool not_null = false;
  char identity = '\0';   // 'a', 'd'
  char generated = '\0';  // 's'
  /// In DDL form, see core::ColumnInfo::type.
  std::string type_text;
  TypeFacts facts;
  /// There is a default_expression, whether it was read or not.
  bool has_expression = false;
  std::optional<std::string> default_expression;
  std::optional<std::string> collation_text;

  bool stored_generated() const { return generated != '\0'; }
  bool has_default() const { return has_expression || identity != '\0'; }
};

/// Strategies of the btree access method, by their numbers.
enum class Comparison {
  kLess = 1,
  kLessOrEqual = 2,
  kEqual = 3,
  kGreaterOrEqual = 4,
  kGreater = 5
};

/// A unique index that can tell rows apart.
struct Key {
  Oid index = InvalidOid;
  std::string name;
  /// Positions in Table::columns, in the order of the key.
  std::vector<size_t> columns;
  /// For each of them the operators of the index's operator family, by strategy number.
  std::vector<std::array<std::string, 6>> operators;
  /// For each of them: values that are equal are identical, as 1.0 and 1.00 are not.
  std::vector<bool> exact;

  /// An operator for the i-th key column, as text for OPERATOR(...).
  const std::string& Operator(Comparison comparison, size_t i) const {
    return operators.at(i).at(static_cast<size_t>(comparison));
  }
};

struct ForeignKey {
  Oid constraint = InvalidOid;
  std::string name;
  std::string schema;
  Oid referencing = InvalidOid;  ///< the table, or a partition of it
  Oid referenced = InvalidOid;   ///< the root, where that is a partition
  bool deferrable = false;
  bool initially_deferred = false;
  bool match_full = false;
  bool inherited = false;  ///< by a partition from what it is a partition of
  /// Names, pair by pair.
  std::vector<std::string> columns;
  std::vector<std::string> referenced_columns;
};

struct Table {
  Oid oid = InvalidOid;
  TableName name;
  char kind = '\0';         // pg_class.relkind
  char persistence = '\0';  // pg_class.relpersistence
  Oid owner = InvalidOid;
  bool is_partition = false;
  bool has_children = false;  // inheritance, not partitioning
  bool in_system_schema = false;
  bool own = false;  // a table of this extension
  std::vector<Column> columns;
  std::optional<Key> primary_key;
  /// The primary key, else a unique, immediate, valid, total index over not-null columns.
  std::optional<Key> row_key;
  std::vector<ForeignKey> foreign_keys;

  bool partitioned() const { return kind == 'p'; }
  bool ordinary() const { return kind == 'r'; }
  const Column* FindColumn(std::string_view column) const;
  size_t PositionOf(std::string_view column) const;  ///< columns.size() where there is none
  bool IsKeyColumn(size_t position) const;           ///< of row_key
  bool IsPrimaryKeyColumn(size_t position) const;
  /// Of row_key, and of a type whose equal values are identical: never to be updated.
  bool IsExactKeyColumn(size_t position) const;
  /// "ONLY schema.name" where the table has inheritance children, else "schema.name".
  std::string FromClause() const;

  /// What it takes to carry rows; Define() tells the whole definition.
  core::TableInfo ToInfo() const;
};

/// A type as format_type() prints it, but with varchar spelled as PhoenixKit's readers expect it.
std::string DdlType(std::string formatted);

/// Reads a relation as the active snapshot sees the catalogs; its rows may be anyone's, no
/// privilege is looked at. Raises 42P01 where it is gone. See also catalog/cached_table.h.
Table ReadTable(Oid relation);

/// Row level security hides or may hide rows of the table from the current user.
bool RowSecurityApplies(Oid relation);

}  // namespace pgsync::catalog
