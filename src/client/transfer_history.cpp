#include "client/transfer_history.h"

#include <algorithm>

#include "catalog/names.h"
#include "connection/queued_entries.h"
#include "core/text.h"
#include "pg/identity.h"
#include "session/shared_memory.h"

extern "C" {
#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
}

namespace pgsync::client {

using session::EntryKind;
using session::put_text;
using session::QueueEntry;

namespace {

// A call of the current transaction, and what the writer is told of it when that ends: kTransfer
// until the call has done its work, then kReceived.
struct PendingCall {
  int level;  // of the (sub)transaction with which its work is undone
  QueueEntry entry;
};

// In the order of the calls, and so of their levels. Not in the transaction's memory: an abort
// callback reads them, and allocates nothing.
PendingCall* calls = nullptr;
int call_count = 0;
int call_capacity = 0;

constexpr int kFirstCapacity = 4;

int add_call(const QueueEntry& entry) {
  if (call_count == call_capacity) {
    const int capacity = std::max(kFirstCapacity, call_capacity * 2);
    const Size size = mul_size(sizeof(PendingCall), capacity);
    calls =
        static_cast<PendingCall*>(calls == nullptr ? MemoryContextAllocHuge(TopMemoryContext, size)
                                                   : repalloc_huge(calls, size));
    call_capacity = capacity;
  }
  calls[call_count] = {GetCurrentTransactionNestLevel(), entry};
  return call_count++;
}

void note_aborted(QueueEntry& entry) noexcept {
  if (entry.kind == EntryKind::kReceived) {
    entry.kind = EntryKind::kTransfer;
    put_text(entry.status, "cancelled");
    put_text(entry.error, "transaction was rolled back");
    entry.rows = entry.created = entry.updated = entry.skipped = entry.deleted = entry.failed = 0;
  }
  hand_to_writer(entry);
}

// A prepared transaction counts as one that will be committed: its rows are in it, the totals
// cannot wait for it.
void at_transaction_end(XactEvent event, void*) {
  if (calls == nullptr) return;
  if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
    return;
  for (int i = 0; i < call_count; i++) {
    if (event == XACT_EVENT_ABORT) {
      note_aborted(calls[i].entry);
    } else {
      hand_to_writer(calls[i].entry);
    }
  }
  pfree(calls);
  calls = nullptr;
  call_count = call_capacity = 0;
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB) return;
  const int level = GetCurrentTransactionNestLevel();
  int first = call_count;
  while (first > 0 && calls[first - 1].level >= level)
    first--;
  for (int i = first; i < call_count; i++) {
    if (event == SUBXACT_EVENT_COMMIT_SUB) {
      calls[i].level = level - 1;
    } else {
      note_aborted(calls[i].entry);
    }
  }
  if (event == SUBXACT_EVENT_ABORT_SUB) call_count = first;
}

void Count(QueueEntry& entry, const engine::TableOutcome& outcome) {
  const engine::ApplyCounts& counts = outcome.counts;
  entry.created += counts.created;
  entry.updated += counts.updated;
  entry.skipped += counts.skipped;
  entry.deleted += counts.deleted;
  entry.failed += outcome.error_count;
  entry.rows += counts.created + counts.updated + counts.skipped + outcome.error_count;
  entry.bytes += outcome.bytes;
}

int64 Now() {
  return pg::Call([] { return GetCurrentTimestamp(); });
}

}  // namespace

TransferRecord::TransferRecord(const std::string& connection, const std::string& site_url,
                               const std::string& tables, const core::TransferWords& words)
    : words_(words) {
  if (connection.empty() || words.dry_run || XactReadOnly) return;
  QueueEntry entry = {};
  entry.kind = EntryKind::kTransfer;
  put_text(entry.connection, connection.c_str());
  put_text(entry.site_url, site_url.c_str());
  put_text(entry.table, tables.c_str());
  put_text(entry.strategy, words.strategy.c_str());
  put_text(entry.role, pg::RoleName(GetUserId()).c_str());
  // What stays if nobody has the time to say it: the backend is terminated, or out of memory.
  put_text(entry.status, "failed");
  put_text(entry.error, "transfer did not come to its end");
  entry.started_at = entry.ended_at = Now();
  index_ = pg::Call([&] { return add_call(entry); });
}

void TransferRecord::Failed(const core::Error& error, bool cancelled) {
  if (index_ < 0) return;
  QueueEntry& entry = calls[index_].entry;
  std::string text = error.message();
  if (!error.detail().empty()) text = core::Cat(text, "\nDETAIL: ", error.detail());
  put_text(entry.status, cancelled ? "cancelled" : "failed");
  put_text(entry.error, text.c_str());
  entry.ended_at = Now();
}

void TransferRecord::Completed(const std::vector<engine::TableOutcome>& outcomes) {
  if (index_ < 0) return;
  QueueEntry done = calls[index_].entry;
  put_text(done.status, "completed");
  put_text(done.error, "");
  done.ended_at = Now();
  QueueEntry total = done;
  total.kind = EntryKind::kReceived;
  for (const engine::TableOutcome& outcome : outcomes) {
    QueueEntry row = done;
    put_text(row.table, outcome.table.c_str());
    const std::string* own =
        catalog::FindByTable(words_.strategies, catalog::ParseTableName(outcome.source));
    if (own != nullptr) put_text(row.strategy, own->c_str());
    Count(row, outcome);
    Count(total, outcome);
    (void)connection::WriteEntry(row);
  }
  calls[index_].entry = total;
}

QueueEntry ReceivedEntry(const std::string& connection,
                         const std::vector<engine::TableOutcome>& outcomes) {
  QueueEntry entry = {};
  entry.kind = EntryKind::kReceived;
  put_text(entry.connection, connection.c_str());
  put_text(entry.status, "completed");
  for (const engine::TableOutcome& outcome : outcomes)
    Count(entry, outcome);
  entry.ended_at = Now();
  return entry;
}

void hand_to_writer(const QueueEntry& entry) noexcept {
  if (session::enqueue(entry)) return;
  const char* why =
      session::SharedMemoryAttached() ? "its queue has no room" : "it is not preloaded";
  if (entry.kind == EntryKind::kReceived) {
    ereport(LOG, (errmsg("sync could not count a transfer: %s", why),
                  errdetail("It is not in the totals of connection %s.", entry.connection)));
  } else {
    ereport(LOG, (errmsg("sync could not note a transfer: %s", why),
                  errdetail("Connection %s, tables %s, %s: %s", entry.connection, entry.table,
                            entry.status, entry.error)));
  }
}

void register_history_callbacks() {
  RegisterXactCallback(at_transaction_end, nullptr);
  RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

}  // namespace pgsync::client
