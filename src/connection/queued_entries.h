// What the writer does with the entries of session/writer_queue.h: the tables of connections and
// history are changed accordingly.
#pragma once

#include "session/writer_queue.h"

namespace pgsync::connection {

/// Writes an entry in the current (sub)transaction, as the extension's owner. Returns the answer to
/// a reservation (negative: there is no such connection), 0 for all else. Raises what the
/// statements raise.
int64 WriteEntry(const session::QueueEntry& entry);

}  // namespace pgsync::connection
