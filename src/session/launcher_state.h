// What the launcher tells the backends of itself, and how they wake it.
#pragma once

#include <string>

#include "pg/guard.h"

namespace pgsync::session {

enum class ListenState { kStopped, kNotConfigured, kListening, kCannotListen };

struct LauncherInfo {
  int pid = 0;
  ListenState listening = ListenState::kStopped;
};

/// The launcher registers itself; leaving is done at its exit, however it comes.
void RegisterLauncher();
void SetListenState(ListenState state);

LauncherInfo GetLauncherInfo();
/// Sets the launcher's latch. Raises nothing.
void wake_launcher() noexcept;
/// Asks the launcher to look which databases there are, and into each; not more than once in ten
/// seconds, for strangers can make it happen. Raises nothing.
void ask_for_databases() noexcept;
/// For the launcher: whether it was asked since the last time.
bool TakeDatabasesAsked();
/// Raises 55000 unless sync is preloaded and its launcher runs.
void RequireLauncher();

/// Where peers reach this server: "https://db1:5480"; empty where it does not listen.
std::string ListenUrl();

Size LauncherStateSize();
void init_launcher_state(void* memory, bool found);

}  // namespace pgsync::session
