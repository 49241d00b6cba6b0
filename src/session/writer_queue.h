// What is to be written to the tables of a database by somebody else, because a transaction that
// only reads is open here, or has been rolled back: a queue in shared memory, from which a
// short-lived worker, the writer, takes the entries of one database.
//
//   free -> ready           someone has queued the entry
//   ready -> taken          a writer is writing it, in a transaction
//   taken -> free           that has committed
//   taken -> answered       likewise, and someone waits for what came out of it
//   answered -> free        who has waited knows it
//   taken -> ready          the transaction was rolled back
//
// An entry is written exactly once, unless the server crashes before.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/code.h"
#include "session/shared_memory.h"

namespace pgsync::session {

enum class EntryKind {
  kServed,       ///< a table was served to a peer
  kReceived,     ///< a transfer of a client was committed: for the totals of its connection
  kTransfer,     ///< a transfer of a client has ended without its transaction
  kReservation,  ///< only by ReserveRecords()
  kReturn,       ///< only by return_records()
  kApproval,     ///< only by AskWriter(): see connection/approvals.h
};

/// What is to be written, in the database's encoding; of fixed size, so that an abort callback can
/// prepare it beforehand. Empty texts are nulls.
struct QueueEntry {
  EntryKind kind;
  char connection[kUuidTextSize];  ///< "": none
  char transfer[kUuidTextSize];    ///< row of sync_transfers that is to be completed; "": a new one
  char session_code[core::kCodeLength + 1];
  char site_url[256];
  char table[264];
  char strategy[16];
  char status[16];
  char role[NAMEDATALEN];  ///< who has asked for it
  char address[64];        ///< of the peer
  char user_agent[128];
  char error[512];
  int64 requested;
  int64 rows;  ///< transferred; of a reservation: wanted; of a return: given back
  int64 created, updated, skipped, deleted, failed;
  int64 bytes;
  int64 reserved;  ///< of kServed: how many of the rows were reserved before, and so are counted
  int worker_pid;  ///< of kApproval: the worker that takes it, as PeerWorker
  int64 worker_start;
  int64 started_at;  ///< TimestampTz; 0: not known
  int64 ended_at;    ///< TimestampTz
};

/// Copies a text into a field, cut at a character where it is too long. Raises nothing.
void put_text(char* field, size_t size, const char* text) noexcept;
template <size_t size>
void put_text(char (&field)[size], const char* text) noexcept {
  put_text(field, size, text);
}

/// Queues an entry for the current database. False where there is no room, or nobody who could
/// write it (sync is not preloaded, the server is a standby). Raises nothing and allocates nothing:
/// fit for callbacks at an abort and at the end of a process.
bool enqueue(const QueueEntry& entry) noexcept;

/// Whether something is queued, or just being written, for that row of sync_transfers of the
/// current database.
bool IsQueued(const std::string& transfer);

// ---- for the launcher --------------------------------------------------------------------------

struct WaitingEntries {
  Oid database = InvalidOid;
  uint64 oldest = 0;                    ///< number of the first one that may be taken now; 0: none
  int postponed = 0;                    ///< how often that was put off
  std::chrono::milliseconds due_in{0};  ///< until one may be taken
};
/// The databases for which something is queued.
std::vector<WaitingEntries> ListWaitingEntries();
/// Drops the entries of a database that is gone; those who wait are told.
void DropEntries(Oid database);

}  // namespace pgsync::session
