#include "session/peer_table.h"

#include <signal.h>

#include <algorithm>

#include "pg/settings.h"
#include "session/shared_memory.h"

extern "C" {
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/timestamp.h"
}

namespace pgsync::session {

namespace settings = pg::settings;

namespace {

constexpr size_t kAddressSize = 64;
constexpr size_t kActivitySize = 128;

struct PeerSlot {
  int state;
  int pid;
  uint64 nonce;
  char address[kAddressSize];
  char network[kAddressSize];
  int port;
  Oid role;
  Oid database;
  SessionId session;
  char code[16];
  char connection[kUuidTextSize];
  char activity[kActivitySize];
  TimestampTz snapshot_at;
  TimestampTz connected_at;
  pg_atomic_uint64 bytes;
};
static_assert(std::is_trivially_copyable_v<PeerSlot>);

PeerSlot* slots = nullptr;
int slot_count = 0;
int my_slot = -1;

LWLock* lock() {
  return LockOf(SharedTable::kPeers);
}

void free_slot(PeerSlot& slot) {
  slot.state = static_cast<int>(PeerState::kFree);
  slot.pid = 0;
}

void copy_text(char* to, size_t size, const char* from) {
  strlcpy(to, from, size);
}

void leave_peer(int, Datum) {
  if (my_slot < 0) return;
  LWLockAcquire(lock(), LW_EXCLUSIVE);
  if (slots[my_slot].pid == MyProcPid) free_slot(slots[my_slot]);
  LWLockRelease(lock());
  my_slot = -1;
}

// Only a worker that is still there, and still the worker of that slot, is signalled: the lock is
// held, and a worker frees its slot under it before it goes.
void terminate_slot(const PeerSlot& slot) {
  if (slot.pid != 0) kill(slot.pid, SIGTERM);
}

Peer CopyOf(int i, const PeerSlot& slot, uint64 bytes) {
  Peer peer;
  peer.slot = i;
  peer.state = static_cast<PeerState>(slot.state);
  peer.pid = slot.pid;
  peer.address = slot.address;
  peer.port = slot.port;
  peer.role = slot.role;
  peer.database = slot.database;
  peer.session = slot.session;
  peer.code = slot.code;
  peer.connection = slot.connection;
  peer.activity = slot.activity;
  peer.snapshot_at = slot.snapshot_at;
  peer.connected_at = slot.connected_at;
  peer.bytes = bytes;
  return peer;
}

}  // namespace

Size PeerTableSize() {
  return mul_size(sizeof(PeerSlot), settings::max_connections + settings::kMaxPendingLimit);
}

void init_peer_table(void* memory, bool found) {
  slots = static_cast<PeerSlot*>(memory);
  slot_count = settings::max_connections + settings::kMaxPendingLimit;
  if (found) return;
  memset(memory, 0, PeerTableSize());
  for (int i = 0; i < slot_count; i++)
    pg_atomic_init_u64(&slots[i].bytes, 0);
}

std::optional<int> ReservePeer(const std::string& address, int port, const std::string& network,
                               uint64* nonce) {
  const int taken = pg::Call([&] {
    uint64 random;
    if (!pg_strong_random(&random, sizeof(random))) elog(ERROR, "no random numbers to be had");
    *nonce = random;
    int free = -1, pending = 0, same_network = 0;
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    for (int i = 0; i < slot_count; i++) {
      const auto state = static_cast<PeerState>(slots[i].state);
      if (state == PeerState::kFree && free < 0) free = i;
      if (state != PeerState::kStarting && state != PeerState::kPending) continue;
      pending++;
      if (strcmp(slots[i].network, network.c_str()) == 0) same_network++;
    }
    // One address may take at most half of the places, so that it cannot keep all others out.
    const int share = std::max(1, (settings::max_pending + 1) / 2);
    if (free >= 0 && pending < settings::max_pending && same_network < share) {
      PeerSlot& slot = slots[free];
      slot.state = static_cast<int>(PeerState::kStarting);
      slot.pid = 0;
      slot.nonce = random;
      copy_text(slot.address, sizeof(slot.address), address.c_str());
      copy_text(slot.network, sizeof(slot.network), network.c_str());
      slot.port = port;
      slot.role = slot.database = InvalidOid;
      slot.session = SessionId();
      slot.code[0] = slot.connection[0] = slot.activity[0] = '\0';
      slot.snapshot_at = 0;
      slot.connected_at = GetCurrentTimestamp();
      pg_atomic_write_u64(&slot.bytes, 0);
    } else {
      free = -1;
    }
    LWLockRelease(lock());
    return free;
  });
  return taken >= 0 ? std::optional<int>(taken) : std::nullopt;
}

void ReleasePeer(int slot, uint64 nonce) {
  pg::Call([&] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    if (slots[slot].state == static_cast<int>(PeerState::kStarting) && slots[slot].nonce == nonce) {
      free_slot(slots[slot]);
    }
    LWLockRelease(lock());
  });
}

bool CheckPeerNonce(int slot, uint64 nonce) {
  if (slot < 0 || slot >= slot_count) return false;
  return pg::Call([&] {
    LWLockAcquire(lock(), LW_SHARED);
    const bool right =
        slots[slot].state != static_cast<int>(PeerState::kFree) && slots[slot].nonce == nonce;
    LWLockRelease(lock());
    return right;
  });
}

void ReleaseStartingPeers() {
  pg::Call([] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    for (int i = 0; i < slot_count; i++) {
      if (slots[i].state == static_cast<int>(PeerState::kStarting)) free_slot(slots[i]);
    }
    LWLockRelease(lock());
  });
}

std::optional<Peer> AdoptPeer(int slot, uint64* nonce) {
  if (slot < 0 || slot >= slot_count) {
    throw core::Error(core::sqlstate::kInternal, "no such peer slot");
  }
  PeerSlot copy;
  const bool adopted = pg::Call([&] {
    before_shmem_exit(leave_peer, (Datum)0);
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    const bool waiting = slots[slot].state == static_cast<int>(PeerState::kStarting);
    if (waiting) {
      slots[slot].state = static_cast<int>(PeerState::kPending);
      slots[slot].pid = MyProcPid;
      my_slot = slot;
      memcpy(&copy, &slots[slot], sizeof(copy));
    }
    LWLockRelease(lock());
    return waiting;
  });
  if (!adopted) return std::nullopt;
  *nonce = copy.nonce;
  return CopyOf(slot, copy, 0);
}

bool PromotePeer() {
  return pg::Call([&] {
    int serving = 0;
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    for (int i = 0; i < slot_count; i++) {
      if (slots[i].state == static_cast<int>(PeerState::kServing)) serving++;
    }
    const bool room = serving < settings::max_connections;
    if (room) slots[my_slot].state = static_cast<int>(PeerState::kServing);
    LWLockRelease(lock());
    return room;
  });
}

void DemotePeer() {
  pg::Call([&] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    slots[my_slot].state = static_cast<int>(PeerState::kPending);
    LWLockRelease(lock());
  });
}

void NotePeerSession(const Session& session) {
  pg::Call([&] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    PeerSlot& slot = slots[my_slot];
    slot.role = session.role;
    slot.database = session.database;
    slot.session = session.id;
    copy_text(slot.code, sizeof(slot.code), session.code.c_str());
    copy_text(slot.connection, sizeof(slot.connection), session.connection.c_str());
    LWLockRelease(lock());
  });
}

int CountServing(Oid role, Oid database) {
  return pg::Call([&] {
    int count = 0;
    LWLockAcquire(lock(), LW_SHARED);
    for (int i = 0; i < slot_count; i++) {
      if (i == my_slot || slots[i].state != static_cast<int>(PeerState::kServing)) continue;
      if (OidIsValid(role) && slots[i].role != role) continue;
      if (OidIsValid(database) && slots[i].database != database) continue;
      count++;
    }
    LWLockRelease(lock());
    return count;
  });
}

// Only the launcher has written to it, before this worker was there.
PeerWorker ThisPeerWorker() {
  return {MyProcPid, slots[my_slot].connected_at};
}

void SetPeerActivity(const char* activity) {
  pg::Call([&] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    copy_text(slots[my_slot].activity, sizeof(slots[my_slot].activity), activity);
    LWLockRelease(lock());
  });
}

void SetPeerSnapshot(int64 taken_at) {
  pg::Call([&] {
    LWLockAcquire(lock(), LW_EXCLUSIVE);
    slots[my_slot].snapshot_at = taken_at;
    LWLockRelease(lock());
  });
}

void add_peer_bytes(uint64 bytes) noexcept {
  if (my_slot >= 0) pg_atomic_fetch_add_u64(&slots[my_slot].bytes, static_cast<int64>(bytes));
}

std::vector<Peer> ListPeers() {
  std::vector<Peer> peers;
  if (!SharedMemoryAttached()) return peers;
  for (int i = 0; i < slot_count; i++) {
    PeerSlot copy;
    pg::Call([&] {
      LWLockAcquire(lock(), LW_SHARED);
      memcpy(&copy, &slots[i], sizeof(copy));
      LWLockRelease(lock());
    });
    if (copy.state == static_cast<int>(PeerState::kFree)) continue;
    peers.push_back(CopyOf(i, copy, pg_atomic_read_u64(&slots[i].bytes)));
  }
  return peers;
}

void terminate_session_peers(const SessionId& id) noexcept {
  LWLockAcquire(lock(), LW_SHARED);
  for (int i = 0; i < slot_count; i++) {
    if (slots[i].state == static_cast<int>(PeerState::kServing) && slots[i].session == id) {
      terminate_slot(slots[i]);
    }
  }
  LWLockRelease(lock());
}

// Also of those that are not admitted yet: they have been told apart by their token.
void terminate_connection_peers(const char* connection) noexcept {
  if (!SharedMemoryAttached()) return;
  LWLockAcquire(lock(), LW_SHARED);
  for (int i = 0; i < slot_count; i++) {
    if (slots[i].state != static_cast<int>(PeerState::kFree) && slots[i].database == MyDatabaseId &&
        slots[i].connection[0] != '\0' && strcmp(slots[i].connection, connection) == 0) {
      terminate_slot(slots[i]);
    }
  }
  LWLockRelease(lock());
}

void terminate_database_peers(Oid database) noexcept {
  if (!SharedMemoryAttached()) return;
  LWLockAcquire(lock(), LW_SHARED);
  for (int i = 0; i < slot_count; i++) {
    if (slots[i].state == static_cast<int>(PeerState::kServing) && slots[i].database == database) {
      terminate_slot(slots[i]);
    }
  }
  LWLockRelease(lock());
}

bool TerminatePeer(int pid) {
  if (!SharedMemoryAttached()) return false;
  return pg::Call([&] {
    bool found = false;
    LWLockAcquire(lock(), LW_SHARED);
    for (int i = 0; i < slot_count; i++) {
      if (slots[i].state == static_cast<int>(PeerState::kFree) || slots[i].pid != pid || pid == 0) {
        continue;
      }
      found = true;
      terminate_slot(slots[i]);
    }
    LWLockRelease(lock());
    return found;
  });
}

}  // namespace pgsync::session
