// DROP EXTENSION, by whatever statement: at COMMIT the peers and the jobs of the
// database are ended. ALTER EXTENSION: other backends learn which tables belong to it.
#pragma once

namespace pgsync::sql {

/// Called once, when the library is loaded.
void install_drop_hook();

}  // namespace pgsync::sql
