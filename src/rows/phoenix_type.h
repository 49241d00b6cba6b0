// Types of the database as PhoenixKit's values depend on them.
#pragma once

#include "core/phoenix_value.h"
#include "pg/guard.h"

namespace pgsync::rows {

core::PhoenixType PhoenixTypeOf(Oid type, int32 typmod);

}  // namespace pgsync::rows
