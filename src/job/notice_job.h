// Telling other sites what has become of the connections with them.
#pragma once

namespace pgsync::job {

/// Tells a site the notice that is due first, and notes what came of it: in transactions of its
/// own, none of which is open while it waits for the site. False where none is due.
bool SendDueNotice();

}  // namespace pgsync::job
