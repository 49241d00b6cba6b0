// What administrators do with permanent connections. Each function acts in the current transaction,
// on behalf of the current user, and raises P0002 where there is no such connection and 55000 where
// its status does not allow it. What the other site has to know is noted (connection/notices.h).
//
// Whoever widens what a connection may do has to be a member of the role as which it acts: else
// 42501. Suspending, revoking and deleting need no more than the right to the function.
#pragma once

#include <optional>
#include <string>

#include "connection/connection.h"
#include "connection/settings.h"

namespace pgsync::connection {

struct NewConnection {
  std::string name;
  Direction direction = Direction::kSender;
  std::string site_url;
  std::string run_as;
  ConnectionSettings settings;
  std::optional<std::string> token;  ///< a sender without one gets a new one
};

struct CreatedConnection {
  std::string uuid;
  std::string token;
};
/// A sender is pending, a receiver active. Raises 23505 where the name, the site in that direction
/// or the token has a connection already.
CreatedConnection CreateConnection(const NewConnection& request);

/// These return the connection's uuid.
std::string UpdateConnection(const std::string& name_or_uuid, const ConnectionSettings& settings);
std::string ApproveConnection(const std::string& name_or_uuid);
std::string SuspendConnection(const std::string& name_or_uuid,
                              const std::optional<std::string>& reason);
std::string ReactivateConnection(const std::string& name_or_uuid);
std::string RevokeConnection(const std::string& name_or_uuid,
                             const std::optional<std::string>& reason);

/// Deletes it with its secrets; its history stays. The other site is told.
void DeleteConnection(const std::string& name_or_uuid);
/// The new token of a sender connection; the old one is of no use from COMMIT on.
std::string RegenerateToken(const std::string& name_or_uuid);

}  // namespace pgsync::connection
