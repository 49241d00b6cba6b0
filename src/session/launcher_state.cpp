#include "session/launcher_state.h"

#include <unistd.h>

#include "core/cidr.h"
#include "core/text.h"
#include "pg/settings.h"
#include "session/shared_memory.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timestamp.h"
}

namespace pgsync::session {

namespace {

struct LauncherState {
  int pid;
  int listening;
  Latch* latch;  // in shared memory: valid in every process
  bool databases_asked;
  TimestampTz databases_asked_at;
};

LauncherState* state = nullptr;

constexpr int kAskAgainMs = 10000;

void leave_launcher(int, Datum) {
  LWLockAcquire(LockOf(SharedTable::kLauncher), LW_EXCLUSIVE);
  if (state->pid == MyProcPid) {
    state->pid = 0;
    state->latch = nullptr;
    state->listening = static_cast<int>(ListenState::kStopped);
  }
  LWLockRelease(LockOf(SharedTable::kLauncher));
}

}  // namespace

Size LauncherStateSize() {
  return sizeof(LauncherState);
}

void init_launcher_state(void* memory, bool found) {
  state = static_cast<LauncherState*>(memory);
  if (!found) memset(state, 0, sizeof(*state));
}

void RegisterLauncher() {
  pg::Call([] {
    before_shmem_exit(leave_launcher, (Datum)0);
    LWLockAcquire(LockOf(SharedTable::kLauncher), LW_EXCLUSIVE);
    state->pid = MyProcPid;
    state->latch = MyLatch;
    state->listening = static_cast<int>(ListenState::kStopped);
    LWLockRelease(LockOf(SharedTable::kLauncher));
  });
}

void SetListenState(ListenState listening) {
  pg::Call([&] {
    LWLockAcquire(LockOf(SharedTable::kLauncher), LW_EXCLUSIVE);
    state->listening = static_cast<int>(listening);
    LWLockRelease(LockOf(SharedTable::kLauncher));
  });
}

LauncherInfo GetLauncherInfo() {
  LauncherInfo info;
  if (!SharedMemoryAttached()) return info;
  pg::Call([&] {
    LWLockAcquire(LockOf(SharedTable::kLauncher), LW_SHARED);
    info.pid = state->pid;
    info.listening = static_cast<ListenState>(state->listening);
    LWLockRelease(LockOf(SharedTable::kLauncher));
  });
  return info;
}

void ask_for_databases() noexcept {
  const TimestampTz now = GetCurrentTimestamp();
  LWLockAcquire(LockOf(SharedTable::kLauncher), LW_EXCLUSIVE);
  const bool due = TimestampDifferenceExceeds(state->databases_asked_at, now, kAskAgainMs);
  if (due) {
    state->databases_asked = true;
    state->databases_asked_at = now;
  }
  LWLockRelease(LockOf(SharedTable::kLauncher));
  if (due) wake_launcher();
}

bool TakeDatabasesAsked() {
  return pg::Call([] {
    LWLockAcquire(LockOf(SharedTable::kLauncher), LW_EXCLUSIVE);
    const bool asked = state->databases_asked;
    state->databases_asked = false;
    LWLockRelease(LockOf(SharedTable::kLauncher));
    return asked;
  });
}

void wake_launcher() noexcept {
  if (!SharedMemoryAttached()) return;
  LWLockAcquire(LockOf(SharedTable::kLauncher), LW_SHARED);
  if (state->latch != nullptr) SetLatch(state->latch);
  LWLockRelease(LockOf(SharedTable::kLauncher));
}

void RequireLauncher() {
  RequireSharedMemory();
  if (GetLauncherInfo().pid != 0) return;
  throw core::Error(core::sqlstate::kNotInPrerequisiteState, "the launcher of sync does not run")
      .WithHint("See the server log for the reason; the server starts it again every few seconds.");
}

std::string ListenUrl() {
  if (GetLauncherInfo().listening != ListenState::kListening) return std::string();
  namespace settings = pg::settings;
  const auto addresses = core::SplitList(settings::listen_addresses);
  std::string host = addresses.empty() ? "localhost" : addresses[0];
  if (host == "*" || host == "0.0.0.0" || host == "::") {
    char name[256] = "localhost";
    if (gethostname(name, sizeof(name) - 1) == 0) host = name;
  } else if (host.find(':') != std::string::npos) {
    host = core::Cat("[", host, "]");
  }
  const char* scheme = settings::EffectiveSsl() == settings::Ssl::kOff ? "http" : "https";
  return core::Cat(scheme, "://", host, ":", settings::port);
}

}  // namespace pgsync::session
