#include "net/lookout.h"

namespace pgsync::net {

namespace {

constexpr std::chrono::milliseconds kEvery{100};
// Where nothing has come after all, it is waited for a moment.
constexpr std::chrono::milliseconds kShortest{1};
constexpr std::chrono::seconds kGrace{1};

}  // namespace

void Lookout::Look(int fd) {
  const auto now = core::Clock::now();
  if (now < next_) return;
  next_ = now + kEvery;
  const auto deadline = waiter_.deadline();
  if (deadline && now >= *deadline + kGrace) waiter_.Wait(fd, core::Waiter::Interest::kRead);
  (void)waiter_.WaitUntil(fd, core::Waiter::Interest::kRead, now + kShortest);
}

}  // namespace pgsync::net
