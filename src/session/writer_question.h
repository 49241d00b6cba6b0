// What a process asks the writer of its database for, and waits until it is committed.
#pragma once

#include <chrono>
#include <string>

#include "session/writer_queue.h"

namespace pgsync::session {

/// Queues an entry of kind kApproval and waits, interruptibly, until it is committed. Returns the
/// answer. Raises 53300 where the queue is full or `patience` is over.
int64 AskWriter(const QueueEntry& entry, std::chrono::milliseconds patience);

/// Reserves records of a sender connection against its max_records_total, and waits, interruptibly,
/// until that is committed. Returns how many it got: at most `wanted`, 0 where the limit is
/// reached, `wanted` where there is none. What is not used is given back: as QueueEntry::reserved,
/// or by return_records(). Raises 53300 where the queue is full or `patience` is over, P0002 where
/// the connection is gone.
int64 ReserveRecords(const std::string& connection, int64 wanted,
                     std::chrono::milliseconds patience);
/// Gives reserved records back. As enqueue().
bool return_records(const char* connection, int64 count) noexcept;

}  // namespace pgsync::session
