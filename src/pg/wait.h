// Waiting on a socket and the process latch together.
#pragma once

#include "core/waiter.h"
#include "pg/guard.h"

struct WaitEventSet;

namespace pgsync::pg {

/// Waits as a backend or a worker must: a latch, an interrupt and the postmaster's death are all
/// noticed. Keeps one wait event set for the descriptor last waited for.
class LatchWaiter : public core::Waiter {
 public:
  LatchWaiter() = default;
  ~LatchWaiter() override;
  LatchWaiter(const LatchWaiter&) = delete;
  LatchWaiter& operator=(const LatchWaiter&) = delete;

  bool WaitUntil(int fd, Interest interest, std::optional<core::Clock::time_point> until) override;
  /// Forgets the descriptor; to be called before it is closed.
  void Forget();

 private:
  void Prepare(int fd, Interest interest);

  WaitEventSet* events_ = nullptr;
  int fd_ = -1;
  int position_ = 0;
  unsigned interest_ = 0;
};

/// Sleeps, with interrupts served.
void Sleep(std::chrono::milliseconds duration);

}  // namespace pgsync::pg
