// Which database a peer means that does not come with a code: it has not been let in, so nobody has
// looked into one yet.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pg/guard.h"

namespace pgsync::server {

/// How the first segment of a URL's path is read, where there is one.
enum class PathPrefix {
  kDatabase,  ///< it names the database
  kAny,       ///< it does if a database has that name; else it is of no meaning
};

/// The database that is named by the path before the protocol's own ("" or "/shop"), or else by
/// sync.database. nullopt unless it is known, may be shared (sync.databases) and is enabled. A name
/// may have moved on since: whoever connects has to look at HasName().
struct PeerDatabase {
  Oid oid;
  std::string name;
};
std::optional<PeerDatabase> FindPeerDatabase(std::string_view prefix, PathPrefix meaning);

/// Whether the current database has that name; if not, its right one is noted.
bool HasName(const std::string& name);

}  // namespace pgsync::server
