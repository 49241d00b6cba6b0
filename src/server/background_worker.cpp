#include "server/background_worker.h"

namespace pgsync::server {

BackgroundWorker describe_worker(const char* name, const char* function) {
  BackgroundWorker worker = {};
  strlcpy(worker.bgw_name, name, BGW_MAXLEN);
  strlcpy(worker.bgw_type, name, BGW_MAXLEN);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_ConsistentState;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  strlcpy(worker.bgw_library_name, "sync", BGW_MAXLEN);
  strlcpy(worker.bgw_function_name, function, BGW_MAXLEN);
  return worker;
}

bool start_worker(const char* name, const char* function, Datum argument,
                  BackgroundWorkerHandle** handle) {
  BackgroundWorker worker = describe_worker(name, function);
  worker.bgw_main_arg = argument;
  worker.bgw_notify_pid = MyProcPid;
  const MemoryContext saved = MemoryContextSwitchTo(TopMemoryContext);
  const bool done = RegisterDynamicBackgroundWorker(&worker, handle);
  MemoryContextSwitchTo(saved);
  return done;
}

}  // namespace pgsync::server
