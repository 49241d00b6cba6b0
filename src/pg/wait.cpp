#include "pg/wait.h"

#include <algorithm>

#include "core/text.h"

extern "C" {
#include "storage/latch.h"
#include "utils/wait_event.h"
}

namespace pgsync::pg {

namespace {

using std::chrono::milliseconds;

unsigned EventOf(core::Waiter::Interest interest) {
  return interest == core::Waiter::Interest::kRead ? WL_SOCKET_READABLE : WL_SOCKET_WRITEABLE;
}

}  // namespace

LatchWaiter::~LatchWaiter() {
  Forget();
}

void LatchWaiter::Forget() {
  if (events_ != nullptr) FreeWaitEventSet(events_);
  events_ = nullptr;
  fd_ = -1;
}

void LatchWaiter::Prepare(int fd, Interest interest) {
  const unsigned event = EventOf(interest);
  if (fd != fd_) {
    Forget();
    WaitEventSet* events = Call([] { return CreateWaitEventSet(TopMemoryContext, 3); });
    events_ = events;
    position_ = Call([&] {
      AddWaitEventToSet(events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
      AddWaitEventToSet(events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
      return AddWaitEventToSet(events, event, fd, nullptr, nullptr);
    });
    fd_ = fd;
    interest_ = event;
  } else if (event != interest_) {
    Call([&] { ModifyWaitEvent(events_, position_, event, nullptr); });
    interest_ = event;
  }
}

bool LatchWaiter::WaitUntil(int fd, Interest interest,
                            std::optional<core::Clock::time_point> until) {
  Prepare(fd, interest);
  for (;;) {
    long timeout = -1;
    if (until) {
      const auto left = std::chrono::ceil<milliseconds>(*until - core::Clock::now()).count();
      if (left <= 0) return false;
      timeout = static_cast<long>(std::min<long long>(left, 24L * 3600 * 1000));
    }
    const bool ready = Call([&] {
      WaitEvent event;
      if (WaitEventSetWait(events_, timeout, &event, 1, PG_WAIT_EXTENSION) == 0) return false;
      if (event.events & WL_LATCH_SET) {
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
        return false;
      }
      return true;
    });
    if (ready) return true;
  }
}

void Sleep(milliseconds duration) {
  const auto until = core::Clock::now() + duration;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - core::Clock::now()).count();
    if (left <= 0) return;
    Call([&] {
      const int events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                                   static_cast<long>(left), PG_WAIT_EXTENSION);
      if (events & WL_LATCH_SET) {
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
      }
    });
  }
}

}  // namespace pgsync::pg
