// What the site at the other end of a connection is to be told: written with the change itself, and
// sent after COMMIT, again and again until the site answers.
#pragma once

#include "connection/connection.h"

namespace pgsync::connection {

/// Notes for the connection's site that it is now "active", "suspended", "revoked", or to "delete".
/// Takes the place of what it was not told yet.
void NoteForSite(const Connection& connection, const char* action);

}  // namespace pgsync::connection
