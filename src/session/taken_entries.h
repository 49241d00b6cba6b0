// What a writer takes from the queue, and tells when it is done.
#pragma once

#include "session/writer_queue.h"

namespace pgsync::session {

inline constexpr int kMaxBatch = 64;

/// What has become of an entry that was taken.
enum class EntryFate { kWritten, kDropped, kLater };

/// Takes entries of the current database, in their order, at most kMaxBatch. They are settled when
/// the current transaction ends.
int TakeEntries();
/// A copy of one of them.
QueueEntry GetTakenEntry(int index);
/// Tells what has become of it, provided that the transaction commits. `granted`: the answer to a
/// reservation; negative: there is no such connection.
void settle_entry(int index, EntryFate fate, int64 granted) noexcept;

/// Makes this process a writer: its transactions settle what it has taken.
void register_writer_callbacks();

}  // namespace pgsync::session
