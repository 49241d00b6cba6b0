// Transfers of a sender connection that a person has to agree to: rows of sync_transfers which the
// peer's first request makes, an administrator decides about, and the peer's next request uses up.
//
//   pending_approval -> approved      by sync_approve_transfer()
//   approved         -> in_progress   the peer has come back for it: it is for one transfer
//   in_progress      -> completed, failed   by what the worker of the peer says, or by its end
//   pending_approval -> denied, expired: told to the peer once; what it asks for then is new
#pragma once

#include <optional>
#include <string>

#include "pg/guard.h"
#include "session/writer_queue.h"

namespace pgsync::connection {

enum class ApprovalState { kPending, kApproved, kDenied, kExpired };

struct Approval {
  std::string uuid;
  ApprovalState state = ApprovalState::kPending;
  std::optional<std::string> denial_reason;
};

/// The approval that a request of that connection for that table's rows goes by, as it is committed
/// now; nullopt where one has to be asked for.
std::optional<Approval> FindApproval(const std::string& connection, const std::string& table);

/// Writes, in a writer, what an entry of kind kApproval asks for, by its status: "pending_approval"
/// makes the row, which waits for a day; "approved" uses it up, with the answer 0 where another
/// request was faster; "denied" and "expired" note that the peer has been told. Else the answer
/// is 1.
int64 WriteApproval(const session::QueueEntry& entry);

/// What was taken by workers that are gone, without a word of what has become of it, has failed.
void FailAbandonedApprovals();
/// Whether there is any of that.
bool HasAbandonedApprovals();

}  // namespace pgsync::connection
