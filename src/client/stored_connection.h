// Permanent connections as the receiving side uses them: by name, without the token being typed.
#pragma once

#include <optional>
#include <string>

#include "pg/guard.h"

namespace pgsync::client {

struct StoredConnection {
  std::string uuid;
  std::string name;
  std::string url;
  std::string token;
  std::optional<std::string> password;
};

/// The receiver connection of that name or uuid, for the current user to connect with. Raises P0002
/// where there is none; 42501 unless the user is the role that it runs as, a member of it, or a
/// superuser, and where it is not active or has expired; 55000 for a sender connection, and for one
/// that has no token.
StoredConnection FindStoredConnection(const std::string& name_or_uuid);

}  // namespace pgsync::client
