#include "session/progress_table.h"

#include "pg/compat.h"
#include "session/shared_memory.h"

extern "C" {
#include "storage/ipc.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
}

namespace pgsync::session {

namespace {

constexpr size_t kPeerSize = 192;
constexpr size_t kTableSize = 160;
constexpr size_t kWordSize = 24;
constexpr size_t kUuidSize = 40;

struct ProgressSlot {
  int pid;  // 0: none
  int client;
  Oid role;
  char transfer[kUuidSize];
  char peer[kPeerSize];
  char direction[kWordSize];
  char table[kTableSize];
  char phase[kWordSize];
  TimestampTz started_at;
  pg_atomic_uint64 rows_done;
  pg_atomic_uint64 rows_total;  // as int64
  pg_atomic_uint64 bytes;
};

ProgressSlot* slots = nullptr;
int slot_count = 0;
bool exit_registered = false;
int depth = 0;

LWLock* lock() {
  return LockOf(SharedTable::kProgress);
}
ProgressSlot& mine() {
  return slots[pg::backend_slot()];
}
bool active() {
  return slots != nullptr && depth > 0;
}

void leave_progress(int, Datum) {
  depth = 0;
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  mine().pid = 0;
  LWLockRelease(lock());
}

std::string NewUuid() {
  return pg::Call([] {
    return DatumGetCString(DirectFunctionCall1(uuid_out, DirectFunctionCall1(gen_random_uuid, 0)));
  });
}

}  // namespace

Size ProgressTableSize() {
  return mul_size(sizeof(ProgressSlot), MaxBackends);
}

void init_progress_table(void* memory, bool found) {
  slots = static_cast<ProgressSlot*>(memory);
  slot_count = MaxBackends;
  if (found) return;
  memset(memory, 0, ProgressTableSize());
  for (int i = 0; i < slot_count; i++) {
    pg_atomic_init_u64(&slots[i].rows_done, 0);
    pg_atomic_init_u64(&slots[i].rows_total, 0);
    pg_atomic_init_u64(&slots[i].bytes, 0);
  }
}

void BeginProgress(int client, const std::string& peer, const std::string& direction,
                   const std::string& known_transfer) {
  if (slots == nullptr || depth++ > 0) return;
  const std::string transfer = known_transfer.empty() ? NewUuid() : known_transfer;
  pg::Call([&] {
    if (!exit_registered) before_shmem_exit(leave_progress, (Datum)0);
    exit_registered = true;
    ProgressSlot& slot = mine();
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    slot.pid = MyProcPid;
    slot.client = client;
    slot.role = GetUserId();
    strlcpy(slot.transfer, transfer.c_str(), sizeof(slot.transfer));
    strlcpy(slot.peer, peer.c_str(), sizeof(slot.peer));
    strlcpy(slot.direction, direction.c_str(), sizeof(slot.direction));
    slot.table[0] = slot.phase[0] = '\0';
    slot.started_at = GetCurrentTimestamp();
    pg_atomic_write_u64(&slot.rows_done, 0);
    pg_atomic_write_u64(&slot.rows_total, static_cast<uint64>(-1));
    pg_atomic_write_u64(&slot.bytes, 0);
    LWLockRelease(lock());
  });
}

void SetProgressTable(const std::string& table, int64 rows_total) {
  if (!active()) return;
  pg::Call([&] {
    ProgressSlot& slot = mine();
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    strlcpy(slot.table, table.c_str(), sizeof(slot.table));
    slot.phase[0] = '\0';
    pg_atomic_write_u64(&slot.rows_done, 0);
    pg_atomic_write_u64(&slot.rows_total, static_cast<uint64>(rows_total));
    LWLockRelease(lock());
  });
}

void SetProgressPhase(const char* phase) {
  if (!active()) return;
  pg::Call([&] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    strlcpy(mine().phase, phase, sizeof(mine().phase));
    LWLockRelease(lock());
  });
}

void advance_progress(int64 rows, int64 bytes) noexcept {
  if (!active()) return;
  pg_atomic_fetch_add_u64(&mine().rows_done, rows);
  pg_atomic_fetch_add_u64(&mine().bytes, bytes);
}

void end_progress() noexcept {
  if (slots == nullptr || depth == 0 || --depth > 0) return;
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  mine().pid = 0;
  LWLockRelease(lock());
}

std::vector<Progress> ListProgress() {
  std::vector<Progress> lines;
  for (int i = 0; i < slot_count; i++) {
    ProgressSlot copy;
    pg::Call([&] {
      LWLockAcquire(lock(), LW_SHARED);
      memcpy(&copy, &slots[i], sizeof(copy));
      LWLockRelease(lock());
    });
    if (copy.pid == 0) continue;
    Progress line;
    line.pid = copy.pid;
    line.transfer = copy.transfer;
    line.client = copy.client;
    line.peer = copy.peer;
    line.role = copy.role;
    line.direction = copy.direction;
    line.table = copy.table;
    line.phase = copy.phase;
    line.started_at = copy.started_at;
    line.rows_done = static_cast<int64>(pg_atomic_read_u64(&slots[i].rows_done));
    line.rows_total = static_cast<int64>(pg_atomic_read_u64(&slots[i].rows_total));
    line.bytes = static_cast<int64>(pg_atomic_read_u64(&slots[i].bytes));
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace pgsync::session
