// SQL functions that control the module in this database.
#include "core/text.h"
#include "engine/strategy.h"
#include "pg/settings.h"
#include "session/database_table.h"
#include "session/launcher_state.h"
#include "session/module.h"
#include "session/session_table.h"
#include "session/shared_memory.h"
#include "session/work_schedule.h"
#include "sql/function.h"

extern "C" {
#include "commands/dbcommands.h"
#include "utils/timestamp.h"
}

namespace pgsync::sql {

using core::Error;
namespace sqlstate = core::sqlstate;

namespace {

bool ThisDatabaseServed() {
  const char* name = pg::Call([] { return get_database_name(MyDatabaseId); });
  return name != nullptr && pg::settings::DatabaseServed(name);
}

const char* WorkerState(const session::ModuleState& module) {
  if (!session::SharedMemoryAttached()) return "not preloaded";
  if (module.copied) return "copied";
  const session::LauncherInfo launcher = session::GetLauncherInfo();
  if (launcher.pid == 0 || !ThisDatabaseServed()) return "stopped";
  if (launcher.listening == session::ListenState::kCannotListen) return "cannot listen";
  return launcher.listening == session::ListenState::kStopped ? "stopped" : "running";
}

bool PasswordSet(const session::ModuleState& module) {
  return module.incoming_password && !module.incoming_password->empty();
}

}  // namespace

PGSYNC_FUNCTION(pgsync_enabled) {
  return BoolGetDatum(session::ReadModuleState().enabled);
}

PGSYNC_FUNCTION(pgsync_enable) {
  session::SetEnabled(true);
  session::PublishAtCommit(session::DatabaseState::kEnabled);
  const int64 now = pg::Call([] { return GetCurrentTimestamp(); });
  session::publish_due_at_commit(now);  // what has waited for it
  PG_RETURN_VOID();
}

PGSYNC_FUNCTION(pgsync_disable) {
  session::SetEnabled(false);
  session::PublishAtCommit(session::DatabaseState::kDisabled);
  PG_RETURN_VOID();
}

PGSYNC_FUNCTION(pgsync_get_config) {
  const session::ModuleState module = session::ReadModuleState();
  const std::string url = session::ListenUrl();
  return RowResult(fcinfo, {BoolCell(module.enabled),
                            std::to_string(session::CountActiveSessions()), module.incoming_mode,
                            BoolCell(PasswordSet(module)), url.empty() ? Cell() : Cell(url),
                            session::kVersion, std::string(WorkerState(module))});
}

PGSYNC_FUNCTION(pgsync_get_incoming_mode) {
  return TextDatum(session::ReadModuleState().incoming_mode);
}

PGSYNC_FUNCTION(pgsync_set_incoming_mode) {
  const std::string mode = Args(fcinfo).Text(0);
  engine::RequireWord("incoming mode", mode,
                      {"auto_accept", "require_approval", "require_password", "deny_all"});
  session::SetIncomingMode(mode);
  PG_RETURN_VOID();
}

PGSYNC_FUNCTION(pgsync_get_incoming_password) {
  const session::ModuleState module = session::ReadModuleState();
  if (!PasswordSet(module)) PG_RETURN_NULL();
  return TextDatum(*module.incoming_password);
}

PGSYNC_SECRET_FUNCTION(pgsync_set_incoming_password) {
  const auto password = Args(fcinfo).OptionalText(0);
  session::SetIncomingPassword(password && password->empty() ? std::nullopt : password);
  PG_RETURN_VOID();
}

PGSYNC_FUNCTION(pgsync_incoming_password_set) {
  return BoolGetDatum(PasswordSet(session::ReadModuleState()));
}

PGSYNC_SECRET_FUNCTION(pgsync_validate_incoming_password) {
  const std::string password = Args(fcinfo).Text(0);
  const session::ModuleState module = session::ReadModuleState();
  return BoolGetDatum(!PasswordSet(module) ||
                      core::ConstantTimeEqual(password, *module.incoming_password));
}

}  // namespace pgsync::sql
