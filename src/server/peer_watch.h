// Looks after what a worker cannot see while it computes: whether its peer is still there, and
// whether its snapshot has been held for too long.
#pragma once

#include "pg/guard.h"

namespace pgsync::server {

/// Starts the timer: every second the descriptor is looked at; once the peer has gone, or the
/// snapshot is too old, the running statement is cancelled. For a leaf.
void start_peer_watch(int fd);
/// `taken_at` as TimestampTz, 0: none.
void watch_snapshot(int64 taken_at);

/// Why the statement was cancelled, if it was the peer watch that did it.
bool PeerWatchSawPeerGone();
bool PeerWatchSawOldSnapshot();

}  // namespace pgsync::server
