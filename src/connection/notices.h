// What the site at the other end of a connection is to be told: written with the change itself, and
// sent after COMMIT, again and again until the site answers.
#pragma once

#include <optional>
#include <string>

#include "connection/connection.h"

namespace pgsync::connection {

/// Notes for the connection's site that it is now "active", "suspended", "revoked", or to "delete".
/// Takes the place of what it was not told yet.
void NoteForSite(const Connection& connection, const char* action);

struct Notice {
  std::string uuid;
  Direction direction = Direction::kSender;  ///< of the connection here
  std::string site_url;
  std::string own_url;  ///< setting of the connection; empty: none
  std::string auth_token_hash;
  std::string action;
  int attempts = 0;
  bool by_superuser = false;  ///< the role that has made the change is one
};
/// The notice that has been due for longest, of those whose connection no other worker is telling
/// of: its site hears one after the other, and last what is so. It is taken until release_job()
/// (session/job_table.h), and due again some time later unless it is finished: a process that dies
/// meanwhile does no harm.
std::optional<Notice> TakeDueNotice();
/// The site has answered, and the notice is done with; or it has not, for this reason. One that is
/// a month old is given up.
void FinishNotice(const Notice& notice, bool settled, const std::string& reason);
/// When the next notice is due (TimestampTz).
std::optional<int64_t> NextNotice();

}  // namespace pgsync::connection
