// What a transfer of this backend leaves in the history and in the totals of its stored connection:
//
//   completed           rows of sync_transfers, one for each table, in the caller's transaction;
//   the
//                       totals by the writer, once that has committed
//   failed, cancelled   one row, by the writer, as the (sub)transaction aborts
//   rolled back         likewise, as cancelled, though the call itself had done its work
#pragma once

#include <string>
#include <vector>

#include "core/transfer_words.h"
#include "engine/transfer.h"
#include "session/writer_queue.h"

namespace pgsync::client {

/// One call that transfers. Nothing is noted without a stored connection, of a dry run, and in a
/// transaction that only reads (on a standby, too).
class TransferRecord {
 public:
  /// Made before anything is done that may fail. `connection`: uuid of the stored connection;
  /// empty: none. `tables`: for display.
  TransferRecord(const std::string& connection, const std::string& site_url,
                 const std::string& tables, const core::TransferWords& words);
  TransferRecord(const TransferRecord&) = delete;
  TransferRecord& operator=(const TransferRecord&) = delete;

  /// Runs the transfer and notes what has come of it. Raises what it raises.
  template <typename Body>
  std::vector<engine::TableOutcome> Run(Body&& body) {
    try {
      auto outcomes = body();
      Completed(outcomes);
      return outcomes;
    } catch (const pg::PgError& error) {
      // A core::Error of that class is a peer that was silent for too long.
      Failed(error.ToError(), error.state() == core::sqlstate::kQueryCanceled);
      throw;
    } catch (const core::Error& error) {
      Failed(error, false);
      throw;
    }
  }

 private:
  void Completed(const std::vector<engine::TableOutcome>& outcomes);
  void Failed(const core::Error& error, bool cancelled);

  const core::TransferWords& words_;
  int index_ = -1;  // among the calls of the transaction; -1: nothing is noted
};

/// What a completed transfer adds to the totals of its connection. These are always written by the
/// writer: their row is not locked until the end of a transaction that may be long.
session::QueueEntry ReceivedEntry(const std::string& connection,
                                  const std::vector<engine::TableOutcome>& outcomes);

/// Queues an entry for the writer; where that is impossible, a line in the server log has it.
void hand_to_writer(const session::QueueEntry& entry) noexcept;

void register_history_callbacks();

}  // namespace pgsync::client
