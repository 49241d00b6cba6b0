#include "server/peer_watch.h"

#include <cerrno>
#include <csignal>

#include "net/stream.h"
#include "pg/settings.h"

extern "C" {
#include "storage/latch.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
}

namespace pgsync::server {

namespace {

constexpr int kPeriodMs = 1000;

// Read and written by the signal handler.
volatile sig_atomic_t peer_gone = 0;
volatile sig_atomic_t snapshot_old = 0;
int watched_fd = -1;
TimestampTz snapshot_deadline = 0;

// In a signal handler: only what is async-signal safe (poll() and the clock are).
void look() {
  const int saved_errno = errno;
  bool cancel = false;
  if (watched_fd >= 0 && net::PeerHasGone(watched_fd)) {
    peer_gone = 1;
    cancel = true;
  }
  if (snapshot_deadline != 0 && GetCurrentTimestamp() >= snapshot_deadline) {
    snapshot_old = 1;
    cancel = true;
  }
  if (cancel) {
    QueryCancelPending = true;
    InterruptPending = true;
    SetLatch(MyLatch);
  }
  errno = saved_errno;
}

}  // namespace

void start_peer_watch(int fd) {
  watched_fd = fd;
  const TimeoutId timeout = RegisterTimeout(USER_TIMEOUT, look);
  enable_timeout_every(timeout, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kPeriodMs),
                       kPeriodMs);
}

void watch_snapshot(int64 taken_at) {
  snapshot_deadline =
      taken_at == 0 ? 0 : taken_at + pg::settings::snapshot_timeout_s * USECS_PER_SEC;
}

bool PeerWatchSawPeerGone() {
  return peer_gone != 0;
}
bool PeerWatchSawOldSnapshot() {
  return snapshot_old != 0;
}

}  // namespace pgsync::server
