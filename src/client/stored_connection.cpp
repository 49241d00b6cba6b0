#include "client/stored_connection.h"

#include "connection/connection.h"
#include "core/text.h"

extern "C" {
#include "utils/timestamp.h"
}

namespace pgsync::client {

using core::Cat;
using core::Error;
namespace sqlstate = core::sqlstate;

StoredConnection FindStoredConnection(const std::string& name_or_uuid) {
  const connection::Connection found = connection::GetConnection(name_or_uuid);
  connection::RequireMayUse(found);
  if (found.direction != connection::Direction::kReceiver) {
    throw Error(sqlstate::kNotInPrerequisiteState,
                Cat("connection \"", found.name, "\" is one of the sending side"))
        .WithDetail("Its site pulls from this one.")
        .WithHint("Use a connection with the direction \"receiver\".");
  }
  const core::Policy policy = connection::PolicyOf(found);
  const int64 now = pg::Call([] { return GetCurrentTimestamp(); });
  if (policy.status != core::ConnectionStatus::kActive ||
      (found.expires_at && now > *found.expires_at)) {
    const bool active = policy.status == core::ConnectionStatus::kActive;
    throw Error(sqlstate::kInsufficientPrivilege,
                Cat("connection \"", found.name, "\" is not active"))
        .WithDetail(active
                        ? std::string("It has expired.")
                        : Cat("Its status is \"", core::ConnectionStatusName(policy.status), "\"."))
        .WithHint("See sync_approve_connection() and sync_reactivate_connection().");
  }
  const auto secrets = connection::ReadSecrets(found.uuid);
  if (!secrets) {
    throw Error(sqlstate::kNotInPrerequisiteState,
                Cat("connection \"", found.name, "\" has no token"))
        .WithHint("Create it anew with the token that its sender has given.");
  }
  return {found.uuid, found.name, found.site_url, secrets->token, secrets->password};
}

}  // namespace pgsync::client
