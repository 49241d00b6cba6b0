#include "core/waiter.h"

#include <algorithm>

namespace pgsync::core {

void Waiter::Wait(int fd, Interest interest) {
  const auto limit = interest == Interest::kRead ? read_limit_ : write_limit_;
  std::optional<Clock::time_point> until = deadline_;
  if (limit) {
    const auto by_limit = Clock::now() + *limit;
    until = until ? std::min(*until, by_limit) : by_limit;
  }
  if (WaitUntil(fd, interest, until)) return;
  throw TimeoutError(interest == Interest::kRead ? "timeout: the peer sent nothing in time"
                                                 : "timeout: the peer read nothing in time");
}

}  // namespace pgsync::core
