// A table's definition as peers tell it to each other, and as sync_get_schema() shows it: the keys
// that PhoenixKit uses (table, schema, columns[name, type, nullable, primary_key, default,
// max_length, precision, scale], primary_key), and beside them what else is needed to carry rows
// exactly and to build the same table elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/table_parts.h"

namespace pgsync::core {

struct ColumnInfo {
  std::string name;
  /// Usable in DDL: with length and precision, qualified unless in pg_catalog, domains kept.
  std::string type;
  /// Qualified internal name of the type under all domains ("pg_catalog.int4"), by which both ends
  /// find out whether they mean the same. Empty where the peer did not tell.
  std::string base_type;
  /// pg_type.typcategory of the base type; '\0' unknown.
  char category = '\0';
  /// The fields of a composite type, or of one that it is made of, "(a, b(c, d))" in their order,
  /// in which its text has them; empty for all others.
  std::string fields;
  /// The owner of the table can send and take this type in PostgreSQL's binary form.
  bool binary = false;
  bool nullable = true;
  /// DEFAULT expression as PostgreSQL prints it.
  std::optional<std::string> default_expression;
  /// 'a' always, 'd' by default, '\0' no identity column.
  char identity = '\0';
  /// GENERATED ALWAYS AS (...) STORED, with default_expression as its expression.
  bool generated = false;
  /// Qualified collation where it is not the type's own.
  std::optional<std::string> collation;
  std::optional<int64_t> max_length;
  std::optional<int64_t> precision;
  std::optional<int64_t> scale;

  // Only in a full definition:
  std::optional<SequenceInfo> identity_sequence;
  char storage = '\0';      ///< pg_attribute.attstorage where it is not the type's
  char compression = '\0';  ///< pg_attribute.attcompression
  std::optional<int64_t> statistics;
  std::vector<std::string> options;  ///< "n_distinct=5"
  std::optional<std::string> comment;

  /// A column of a partition is as its parent's: all the same, but identity is the parent's alone.
  bool SameInPartition(const ColumnInfo& parent) const;
};

/// What tables and partitions have in common.
struct RelationInfo {
  std::string schema;
  std::string name;
  std::vector<ColumnInfo> columns;
  /// pg_class.relkind.
  char kind = 'r';

  // Only in a full definition:
  bool unlogged = false;
  std::string access_method;
  std::string partition_key;  ///< "RANGE (at)", of a partitioned table
  std::vector<PartInfo> constraints;
  std::vector<PartInfo> indexes;  ///< without those of constraints
  std::vector<PartInfo> foreign_keys;
  std::vector<std::string> options;  ///< storage parameters, "toast." for its TOAST table's
  char replica_identity = '\0';      ///< 'f' full, 'n' nothing; an index says so itself
  std::optional<std::string> comment;

  const ColumnInfo* FindColumn(std::string_view column) const;
};

struct PartitionInfo : RelationInfo {
  /// Its parent's place in TableInfo::partitions, before its own; -1: the table itself.
  int parent = -1;
  std::string bound;  ///< "FOR VALUES ...", "DEFAULT"
  // No columns: those of the parent, in the same order.
};

struct TableInfo : RelationInfo {
  std::vector<std::string> primary_key;  // in key order
  /// Tables that foreign keys refer to, as written in SQL, unqualified where in schema public.
  std::vector<std::string> depends_on;

  // Only in a full definition:
  std::vector<PartitionInfo> partitions;  ///< the whole tree, parents first
  std::vector<TypeInfo> types;            ///< that the columns use, without those of pg_catalog
  std::vector<SequenceInfo> sequences;    ///< behind defaults, and owned
  std::vector<std::string> not_carried;   ///< what no definition holds: "trigger t"
  std::string owner;

  void Write(JsonWriter& json) const;
  /// Reads what Write wrote, or a definition in PhoenixKit's keys alone, of either shape. Raises
  /// 08P01.
  static TableInfo Read(const JsonObject& json);
};

/// One line of a list of tables.
struct TableListEntry {
  std::string schema;
  std::string name;
  std::optional<int64_t> row_count;
  int64_t size_bytes = 0;
  std::vector<std::string> depends_on;

  void Write(JsonWriter& json) const;
  static TableListEntry Read(const JsonObject& json);
};

}  // namespace pgsync::core
