// Entry of the library: what happens when PostgreSQL loads it.
#include "client/handles.h"
#include "client/transfer_history.h"
#include "pg/settings.h"
#include "server/launcher.h"
#include "session/connection_session.h"
#include "session/database_table.h"
#include "session/session_lifetime.h"
#include "session/shared_memory.h"
#include "session/work_schedule.h"
#include "sql/discard.h"
#include "sql/extension_drop.h"

extern "C" {
#include "storage/ipc.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);
}

namespace {

shmem_request_hook_type previous_shmem_request_hook = nullptr;
shmem_startup_hook_type previous_shmem_startup_hook = nullptr;

void on_shmem_request() {
  if (previous_shmem_request_hook != nullptr) previous_shmem_request_hook();
  pgsync::session::request_shared_memory();
}

void on_shmem_startup() {
  if (previous_shmem_startup_hook != nullptr) previous_shmem_startup_hook();
  pgsync::session::attach_shared_memory();
}

}  // namespace

// Runs in C frames of the server and may raise: no C++ object with a destructor lives here.
void _PG_init(void) {
  pgsync::session::note_library_loaded();
  if (pgsync::session::is_second_library()) return;
  pgsync::pg::settings::define_settings();
  pgsync::session::register_session_callbacks();
  pgsync::session::register_database_callbacks();
  pgsync::session::register_connection_callbacks();
  pgsync::session::register_schedule_callbacks();
  pgsync::client::register_handle_callbacks();
  pgsync::client::register_history_callbacks();
  pgsync::sql::install_discard_hook();
  pgsync::sql::install_drop_hook();
  if (!process_shared_preload_libraries_in_progress) return;
  previous_shmem_request_hook = shmem_request_hook;
  shmem_request_hook = on_shmem_request;
  previous_shmem_startup_hook = shmem_startup_hook;
  shmem_startup_hook = on_shmem_startup;
  pgsync::server::register_launcher();
}
