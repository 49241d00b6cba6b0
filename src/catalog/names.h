// Names of tables: quoting, and the form in which peers name them.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "pg/guard.h"

namespace pgsync::catalog {

/// quote_identifier().
std::string QuoteIdentifier(const std::string& name);
/// quote_literal_cstr().
std::string QuoteLiteral(const std::string& text);

struct TableName {
  std::string schema;
  std::string name;

  /// "schema"."name", each quoted where it must be.
  std::string Qualified() const;
  /// As peers write it: unqualified in schema public.
  std::string Display() const;
  /// For messages, which quote it: as Display, but not quoted.
  std::string ForMessage() const;
  bool operator==(const TableName& other) const {
    return schema == other.schema && name == other.name;
  }
  bool operator<(const TableName& other) const {
    return schema != other.schema ? schema < other.schema : name < other.name;
  }
};

/// Reads `name` or `schema.name`, quoted as in SQL; unqualified means schema public. Raises 42602
/// or 22023 where it is no such name.
TableName ParseTableName(const std::string& text);

/// What such a map, whose keys are names as ParseTableName() reads them, has for a table; null:
/// nothing.
template <typename Value>
const Value* FindByTable(const std::map<std::string, Value>& values, const TableName& table) {
  for (const auto& [name, value] : values) {
    if (ParseTableName(name) == table) return &value;
  }
  return nullptr;
}

/// The relation of that name, or InvalidOid. No privilege is looked at.
Oid FindRelation(const TableName& name);

/// The name of a relation. Raises 42P01 where it is gone.
TableName NameOfRelation(Oid relation);

/// The schema of this extension. Raises 55000 where the extension is not installed.
std::string ExtensionSchema();
/// The role that owns this extension.
Oid ExtensionOwner();

}  // namespace pgsync::catalog
