// What a stream needs whose peer may send so fast that there is never anything to wait for.
#pragma once

#include "core/waiter.h"

namespace pgsync::net {

/// Before each read: now and then raises what an interrupt would raise in a wait, and TimeoutError
/// where the waiter's deadline is over for a second. What has come before it is read until then.
class Lookout {
 public:
  explicit Lookout(core::Waiter& waiter) : waiter_(waiter) {}

  void Look(int fd);

 private:
  core::Waiter& waiter_;
  core::Clock::time_point next_{};
};

}  // namespace pgsync::net
