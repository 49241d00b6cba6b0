// Data types as data, read from the catalogs.
#pragma once

#include <vector>

#include "core/table_parts.h"
#include "pg/guard.h"

namespace pgsync::catalog {

/// A type with its OID here.
struct DefinedType {
  Oid oid = InvalidOid;
  core::TypeInfo info;
};

/// Those of the types that are not in pg_catalog, and all that they are made of, each once and
/// after what it needs. To be called under WithPlainSettings().
std::vector<DefinedType> ReadTypes(const std::vector<Oid>& types);

}  // namespace pgsync::catalog
