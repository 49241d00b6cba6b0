// A table as PhoenixKit is told of it.
#pragma once

#include "catalog/table.h"

namespace pgsync::catalog {

/// For core::WritePhoenixSchema(): types are those under all domains, in the form in which they can
/// stand in DDL, and stored generated columns, which PhoenixKit would insert into, are left out.
core::TableInfo PhoenixInfo(const Table& table);

}  // namespace pgsync::catalog
