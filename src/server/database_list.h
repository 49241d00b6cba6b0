// The databases of this cluster, for processes that are connected to none.
#pragma once

#include <vector>

#include "session/database_table.h"

namespace pgsync::server {

/// All that can be connected to, but for templates.
std::vector<session::NamedDatabase> ListDatabases();

}  // namespace pgsync::server
