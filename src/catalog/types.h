// What the engine needs to know of a data type.
#pragma once

#include <optional>
#include <string>

#include "pg/guard.h"

namespace pgsync::catalog {

struct TypeFacts {
  /// The type under all domains, and the typmod that those impose.
  Oid base = InvalidOid;
  int32 base_typmod = -1;
  /// "schema.name" of the base type, quoted.
  std::string base_name;
  /// pg_type.typcategory of the base type.
  char category = '\0';
  /// The base type has a binary form that means the same on every server: it is built in, holds no
  /// OID of a local object and is not XML (whose binary form carries an encoding declaration).
  bool binary = false;
  /// See core::ColumnInfo::fields.
  std::string fields;
};

TypeFacts ReadTypeFacts(Oid type, int32 typmod);

/// What the text of a value depends on beside the settings that are cheap to switch, for the type
/// itself or whatever it is made of: elements, fields, bounds.
struct TextDependence {
  /// It names objects of the database, as regclass does: under search_path = pg_catalog in full.
  bool names = false;
  /// It is an amount of money, of the form that lc_monetary gives it.
  bool money = false;

  void Add(const TextDependence& other) {
    names = names || other.names;
    money = money || other.money;
  }
};
TextDependence TextDependenceOf(Oid type);

/// What information_schema.columns shows in character_maximum_length, numeric_precision and
/// numeric_scale.
struct TypeLimits {
  std::optional<int64_t> max_length;
  std::optional<int64_t> precision;
  std::optional<int64_t> scale;
};
TypeLimits LimitsOf(Oid base_type, int32 base_typmod);

}  // namespace pgsync::catalog
