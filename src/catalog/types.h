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
};

TypeFacts ReadTypeFacts(Oid type, int32 typmod);

/// The text of a value may name objects of the database (regclass and its like, arrays of them,
/// composite types that may hold them): under search_path = pg_catalog it names them in full.
bool TextNamesObjects(Oid base_type);

/// What information_schema.columns shows in character_maximum_length, numeric_precision and
/// numeric_scale.
struct TypeLimits {
  std::optional<int64_t> max_length;
  std::optional<int64_t> precision;
  std::optional<int64_t> scale;
};
TypeLimits LimitsOf(Oid base_type, int32 base_typmod);

}  // namespace pgsync::catalog
