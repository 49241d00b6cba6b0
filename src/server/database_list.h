// The databases of this cluster, for processes that are connected to none.
#pragma once

#include <string>
#include <vector>

#include "pg/guard.h"

namespace pgsync::server {

struct DatabaseName {
  Oid oid;
  std::string name;
};

/// All that can be connected to, but for templates.
std::vector<DatabaseName> ListDatabases();

}  // namespace pgsync::server
