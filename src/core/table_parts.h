// The parts of a table's definition that PhoenixKit does not know: what is needed, beside its keys,
// to build the same table elsewhere. Expressions, constraints and indexes travel as PostgreSQL
// prints them; whoever builds from them parses them and decides what of it is accepted.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace pgsync::core {

/// One-character catalog codes travel as strings; '\0' as null.
void WriteCode(JsonWriter& json, std::string_view key, char code);
char ReadCode(const JsonObject& json, const char* key, char fallback);

struct SequenceInfo {
  struct Owner {
    std::string schema, table, column;
  };
  std::string schema;
  std::string name;
  std::string type = "bigint";
  int64_t start = 1;
  int64_t increment = 1;
  int64_t min = 1;
  int64_t max = std::numeric_limits<int64_t>::max();
  int64_t cache = 1;
  bool cycle = false;
  bool unlogged = false;
  std::optional<Owner> owner;
  std::optional<std::string> comment;

  void Write(JsonWriter& json) const;
  static SequenceInfo Read(const JsonObject& json);
};

/// A constraint, as pg_get_constraintdef() prints it, or an index, as pg_get_indexdef() does.
struct PartInfo {
  std::string name;
  std::string definition;
  /// In a partition: the constraint or index of the parent table that it belongs to; it is then the
  /// same but for its name, and needs no definition.
  std::optional<std::string> parent;
  std::vector<std::string> options;  ///< storage parameters of the index, "fillfactor=70"
  bool clustered = false;            ///< the index that CLUSTER uses
  bool replica_identity = false;
  std::optional<std::string> comment;
  std::optional<std::string> index_comment;  ///< of a constraint's index

  void Write(JsonWriter& json) const;
  static PartInfo Read(const JsonObject& json);
};

/// A data type, in the order in which types need each other.
struct TypeInfo {
  struct Attribute {
    std::string name;
    std::string type;
    std::optional<std::string> collation;
    std::optional<std::string> comment;
  };
  std::string schema;
  std::string name;
  /// 'e' enum, 'd' domain, 'c' composite, 'r' range; 'x' belongs to an extension, 't' is the row
  /// type of a table, 'b' is none of these: such types have to exist.
  char kind = 'b';
  std::vector<std::string> labels;       // enum
  std::string base;                      // domain, and the subtype of a range
  std::optional<std::string> collation;  // domain, range
  bool not_null = false;                 // domain
  std::optional<std::string> default_expression;
  std::vector<PartInfo> constraints;  // domain
  std::vector<Attribute> attributes;  // composite
  /// Range: names as in SQL, qualified.
  std::optional<std::string> opclass, canonical, subtype_diff;
  std::string multirange;  ///< name of the multirange type
  std::string extension;
  std::optional<std::string> comment;

  void Write(JsonWriter& json) const;
  static TypeInfo Read(const JsonObject& json);
};

}  // namespace pgsync::core
