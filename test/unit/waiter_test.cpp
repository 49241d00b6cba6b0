#include "core/waiter.h"

#include <gtest/gtest.h>

#include "errors.h"

namespace pgsync::core {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using test::ErrorOf;

// Notes what it was asked for and answers as it was told to.
class FakeWaiter : public Waiter {
 public:
  bool WaitUntil(int fd, Interest interest, std::optional<Clock::time_point> until) override {
    calls++;
    last_fd = fd;
    last_interest = interest;
    last_until = until;
    if (raise) throw Error(sqlstate::kQueryCanceled, "canceled");
    return ready;
  }

  bool ready = true;
  bool raise = false;
  int calls = 0;
  int last_fd = -1;
  Interest last_interest = Interest::kRead;
  std::optional<Clock::time_point> last_until;
};

constexpr auto kRead = Waiter::Interest::kRead;
constexpr auto kWrite = Waiter::Interest::kWrite;

TEST(WaiterTest, WaitsWithoutEndWhereThereIsNoLimit) {
  FakeWaiter waiter;
  waiter.Wait(7, kWrite);
  EXPECT_EQ(waiter.calls, 1);
  EXPECT_EQ(waiter.last_fd, 7);
  EXPECT_EQ(waiter.last_interest, kWrite);
  EXPECT_EQ(waiter.last_until, std::nullopt);
  EXPECT_EQ(waiter.deadline(), std::nullopt);
}

TEST(WaiterTest, EachWayHasItsOwnLimit) {
  FakeWaiter waiter;
  waiter.set_read_limit(hours(1));
  waiter.set_write_limit(hours(100));

  auto before = Clock::now();
  waiter.Wait(0, kRead);
  auto after = Clock::now();
  ASSERT_TRUE(waiter.last_until.has_value());
  EXPECT_GE(*waiter.last_until, before + hours(1));
  EXPECT_LE(*waiter.last_until, after + hours(1));

  before = Clock::now();
  waiter.Wait(0, kWrite);
  after = Clock::now();
  EXPECT_GE(*waiter.last_until, before + hours(100));
  EXPECT_LE(*waiter.last_until, after + hours(100));
}

TEST(WaiterTest, LimitOfOneWayDoesNotHoldForTheOther) {
  FakeWaiter waiter;
  waiter.set_read_limit(milliseconds(1));
  waiter.Wait(0, kWrite);
  EXPECT_EQ(waiter.last_until, std::nullopt);
  waiter.set_read_limit(std::nullopt);
  waiter.set_write_limit(milliseconds(1));
  waiter.Wait(0, kRead);
  EXPECT_EQ(waiter.last_until, std::nullopt);
}

TEST(WaiterTest, TheEarlierOfLimitAndDeadlineCounts) {
  FakeWaiter waiter;
  const auto near = Clock::now() + hours(1);
  waiter.set_deadline(near);
  EXPECT_EQ(waiter.deadline(), near);
  waiter.Wait(0, kRead);
  EXPECT_EQ(waiter.last_until, near);

  waiter.set_read_limit(hours(2));
  waiter.Wait(0, kRead);
  EXPECT_EQ(waiter.last_until, near);

  waiter.set_deadline(near + hours(10));
  waiter.Wait(0, kRead);
  EXPECT_GT(*waiter.last_until, near);
  EXPECT_LT(*waiter.last_until, near + hours(10));
}

TEST(WaiterTest, LimitBeginsAnewWithEachWaitButTheDeadlineStays) {
  FakeWaiter waiter;
  waiter.set_read_limit(hours(1));
  waiter.Wait(0, kRead);
  const auto first = *waiter.last_until;
  while (Clock::now() == first - hours(1))
    continue;
  waiter.Wait(0, kRead);
  EXPECT_GT(*waiter.last_until, first);

  const auto deadline = Clock::now();
  waiter.set_deadline(deadline);
  waiter.Wait(0, kRead);
  EXPECT_EQ(waiter.last_until, deadline);
  waiter.Wait(0, kRead);
  EXPECT_EQ(waiter.last_until, deadline);
}

TEST(WaiterTest, LimitsCanBeTakenBack) {
  FakeWaiter waiter;
  waiter.set_read_limit(hours(1));
  waiter.set_deadline(Clock::now());
  waiter.set_read_limit(std::nullopt);
  waiter.set_deadline(std::nullopt);
  waiter.Wait(0, kRead);
  EXPECT_EQ(waiter.last_until, std::nullopt);
}

TEST(WaiterTest, PassedLimitsRaiseTimeoutErrors) {
  FakeWaiter waiter;
  waiter.ready = false;
  waiter.set_read_limit(milliseconds(0));
  waiter.set_deadline(Clock::now());
  EXPECT_THROW(waiter.Wait(0, kRead), TimeoutError);
  EXPECT_THROW(waiter.Wait(0, kWrite), TimeoutError);
  const Error read = ErrorOf([&] { waiter.Wait(0, kRead); });
  EXPECT_STREQ(read.state().c_str(), "08006");
  EXPECT_EQ(read.message(), "timeout: the peer sent nothing in time");
  const Error write = ErrorOf([&] { waiter.Wait(0, kWrite); });
  EXPECT_EQ(write.message(), "timeout: the peer read nothing in time");
}

TEST(WaiterTest, WhatInterruptsTheProcessGoesThrough) {
  FakeWaiter waiter;
  waiter.raise = true;
  const Error error = ErrorOf([&] { waiter.Wait(0, kRead); });
  EXPECT_STREQ(error.state().c_str(), "57014");
  EXPECT_EQ(error.message(), "canceled");
}

}  // namespace
}  // namespace pgsync::core
