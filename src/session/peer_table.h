// The peers that are connected, each with its worker, in shared memory.
//
//   free -> starting        the launcher starts a worker for a socket
//   starting -> pending     the worker has the socket; the peer authenticates
//   pending -> serving      the peer is known
//   any -> free             the worker is gone
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "pg/guard.h"
#include "session/session_table.h"

namespace pgsync::session {

enum class PeerState { kFree, kStarting, kPending, kServing };

/// A worker, told from all others: also from one that has its pid later, or after a crash.
struct PeerWorker {
  int pid = 0;
  int64 connected_at = 0;  ///< TimestampTz
};

/// A copy of a slot.
struct Peer {
  int slot = -1;
  PeerState state = PeerState::kFree;
  int pid = 0;
  std::string address;  // without port
  int port = 0;
  Oid role = InvalidOid;
  Oid database = InvalidOid;
  SessionId session;
  std::string code;
  std::string connection;  ///< uuid of the connection whose token the peer has come with
  std::string activity;
  int64 snapshot_at = 0;  // TimestampTz; 0: none
  int64 connected_at = 0;
  uint64 bytes = 0;
};

// ---- for the launcher --------------------------------------------------------------------------

/// Takes a free slot for a peer from that address; nullopt if there is none, or too many peers of
/// the address (network) are pending. `nonce` is what the worker will have to show.
std::optional<int> ReservePeer(const std::string& address, int port, const std::string& network,
                               uint64* nonce);
/// Frees a slot whose worker could not be started or never came, unless it is another peer's by
/// now.
void ReleasePeer(int slot, uint64 nonce);
bool CheckPeerNonce(int slot, uint64 nonce);
/// Frees all slots that wait for a worker: of a launcher that is no more.
void ReleaseStartingPeers();

// ---- for a worker, on its own slot -------------------------------------------------------------

/// Takes the slot over; it is freed when the process ends, however it ends. nullopt where the slot
/// does not wait for a worker any more: the launcher has lost patience.
std::optional<Peer> AdoptPeer(int slot, uint64* nonce);
/// pending -> serving. False if all of sync.max_connections are taken.
bool PromotePeer();
/// serving -> pending: the peer was not who it said.
void DemotePeer();
/// Tells whose session the peer has come with.
void NotePeerSession(const Session& session);
/// Counts the other peers with that role or in that database.
int CountServing(Oid role, Oid database);
PeerWorker ThisPeerWorker();
void SetPeerActivity(const char* activity);
void SetPeerSnapshot(int64 taken_at);
void add_peer_bytes(uint64 bytes) noexcept;

// ---- for everyone ------------------------------------------------------------------------------

std::vector<Peer> ListPeers();
/// Ends the workers of a session's peers. Raises nothing.
void terminate_session_peers(const SessionId& id) noexcept;
/// Ends the workers that act for a connection of the current database. Raises nothing.
void terminate_connection_peers(const char* connection) noexcept;
/// Ends one worker. False if there is none with that pid.
bool TerminatePeer(int pid);
/// Ends the workers that serve a database.
void terminate_database_peers(Oid database) noexcept;

Size PeerTableSize();
void init_peer_table(void* memory, bool found);

}  // namespace pgsync::session
