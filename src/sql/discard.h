// DISCARD ALL also closes the connections to peers and deletes the backend's sessions.
#pragma once

namespace pgsync::sql {

void install_discard_hook();

}  // namespace pgsync::sql
