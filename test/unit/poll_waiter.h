// Waiting with poll(2), for streams outside a server.
#pragma once

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

#include "core/waiter.h"

namespace pgsync::test {

class PollWaiter : public core::Waiter {
 public:
  bool WaitUntil(int fd, Interest interest, std::optional<core::Clock::time_point> until) override {
    // What would hang for ever fails instead: nothing here takes nearly as long.
    const auto give_up = core::Clock::now() + std::chrono::seconds(30);
    for (;;) {
      const auto now = core::Clock::now();
      if (until && now >= *until) return false;
      if (now >= give_up) throw std::runtime_error("a test waits for what does not come");
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(
          std::min(until.value_or(give_up), give_up) - now);
      pollfd entry = {fd, static_cast<short>(interest == Interest::kRead ? POLLIN : POLLOUT), 0};
      const int ready = poll(&entry, 1, static_cast<int>(left.count()));
      if (ready > 0) return true;
      if (ready < 0 && errno != EINTR) throw std::runtime_error("poll failed");
    }
  }
};

}  // namespace pgsync::test
