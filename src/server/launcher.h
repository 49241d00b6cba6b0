// The launcher: a background worker that listens for peers and starts a worker for each. It never
// reads a peer's bytes and is connected to no database, so it can neither be made to crash nor be
// in the way of DROP DATABASE.
#pragma once

namespace pgsync::server {

/// Registers the launcher with the postmaster. From _PG_init, while libraries are preloaded.
void register_launcher();

}  // namespace pgsync::server
