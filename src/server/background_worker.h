// How the processes of this extension are announced to the postmaster.
#pragma once

#include "pg/guard.h"

extern "C" {
#include "postmaster/bgworker.h"
}

namespace pgsync::server {

/// A process that the server shows as `name` and that begins in `function`, once the server takes
/// connections. It is not started again when it ends.
BackgroundWorker describe_worker(const char* name, const char* function);
/// Asks for one, with this argument; false: there is no room. The handle is in TopMemoryContext.
/// For leaves.
bool start_worker(const char* name, const char* function, Datum argument,
                  BackgroundWorkerHandle** handle);

}  // namespace pgsync::server
