#include "session/shared_memory.h"

#include "core/text.h"
#include "session/database_table.h"
#include "session/guess_table.h"
#include "session/job_table.h"
#include "session/launcher_state.h"
#include "session/peer_table.h"
#include "session/progress_table.h"
#include "session/queue_slots.h"
#include "session/rate_table.h"
#include "session/session_slots.h"
#include "session/work_schedule.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/shmem.h"
}

namespace pgsync::session {

namespace {

struct Part {
  const char* name;
  Size (*size)();
  void (*init)(void* memory, bool found);
};

// In the order of SharedTable.
const Part kParts[kSharedTables] = {
    {"sync sessions", SessionTableSize, init_session_table},
    {"sync peers", PeerTableSize, init_peer_table},
    {"sync launcher", LauncherStateSize, init_launcher_state},
    {"sync databases", DatabaseTableSize, init_database_table},
    {"sync progress", ProgressTableSize, init_progress_table},
    {"sync writer queue", WriterQueueSize, init_writer_queue},
    {"sync guesses", GuessTableSize, init_guess_table},
    {"sync work schedule", WorkScheduleSize, init_work_schedule},
    {"sync jobs", JobTableSize, init_job_table},
    {"sync rates", RateTableSize, init_rate_table},
};

constexpr char kTranche[] = "sync";
constexpr char kLoadedVariable[] = "sync library";

LWLockPadded* locks = nullptr;
bool second_library = false;

}  // namespace

void request_shared_memory() {
  for (const Part& part : kParts)
    RequestAddinShmemSpace(part.size());
  RequestNamedLWLockTranche(kTranche, kSharedTables);
}

void attach_shared_memory() {
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  for (const Part& part : kParts) {
    bool found;
    void* memory = ShmemInitStruct(part.name, part.size(), &found);
    part.init(memory, found);
  }
  LWLockRelease(AddinShmemInitLock);
  locks = GetNamedLWLockTranche(kTranche);
}

bool SharedMemoryAttached() {
  return locks != nullptr;
}

void RequireSharedMemory() {
  if (SharedMemoryAttached()) return;
  throw core::Error(core::sqlstate::kNotInPrerequisiteState,
                    "sync is not preloaded, so its launcher does not run")
      .WithHint("Add sync to shared_preload_libraries in postgresql.conf and restart the server.");
}

void note_library_loaded() {
  void** loaded = find_rendezvous_variable(kLoadedVariable);
  second_library = *loaded != nullptr;
  if (!second_library) *loaded = const_cast<char*>(kVersion);
}

bool is_second_library() {
  return second_library;
}

void RequireMatchingLibrary() {
  if (!second_library) return;
  throw core::Error(core::sqlstate::kNotInPrerequisiteState,
                    "the library of sync was replaced while the server runs")
      .WithDetail(core::Cat("The server runs version ",
                            static_cast<const char*>(*find_rendezvous_variable(kLoadedVariable)),
                            "; the file on disk is version ", kVersion, "."))
      .WithHint("Restart the server.");
}

LWLock* LockOf(SharedTable table) {
  return &locks[static_cast<int>(table)].lock;
}

}  // namespace pgsync::session
