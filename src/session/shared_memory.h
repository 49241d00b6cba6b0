// Shared memory of this extension: fixed-size tables, each behind its own lock. Asked for when the
// postmaster loads the library; without that there is none, and only what needs it is missing.
//
// Lock rule: a lock is taken, the table looked at or changed, and the lock released within one
// leaf that neither allocates nor raises. What is needed afterwards is copied out.
#pragma once

#include <type_traits>

#include "pg/guard.h"

extern "C" {
#include "storage/lwlock.h"
}

namespace pgsync::session {

/// Version of the library, and of the layout of shared memory.
inline constexpr char kVersion[] = "1.1";

/// Of a uuid as text, with its zero.
inline constexpr size_t kUuidTextSize = 37;

/// The tables, in the order of their locks.
enum class SharedTable {
  kSessions,
  kPeers,
  kLauncher,
  kDatabases,
  kProgress,
  kWriterQueue,
  kGuesses,
  kWorkSchedule,
  kJobs,
  kRates,
};
inline constexpr int kSharedTables = 10;

/// Asks for the memory. From shmem_request_hook.
void request_shared_memory();
/// Creates or attaches. From shmem_startup_hook.
void attach_shared_memory();

/// The library was loaded by the postmaster, with this very version.
bool SharedMemoryAttached();
/// Raises 55000 unless it was, telling what to put where.
void RequireSharedMemory();

/// Called once in _PG_init. The library that the postmaster loaded and the one on disk may differ
/// after an upgrade; then a second copy is loaded, which has to refuse.
void note_library_loaded();
/// Raises 55000 if this is such a second copy.
void RequireMatchingLibrary();
bool is_second_library();

LWLock* LockOf(SharedTable table);

}  // namespace pgsync::session
