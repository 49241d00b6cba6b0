#include "core/backoff.h"

#include <gtest/gtest.h>

#include <climits>

namespace pgsync::core {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST(BackoffTest, DoublesUpToTheLongest) {
  const auto after = [](int failures) { return BackoffAfter(failures, seconds(5), minutes(10)); };
  EXPECT_EQ(after(1), seconds(5));
  EXPECT_EQ(after(2), seconds(10));
  EXPECT_EQ(after(3), seconds(20));
  EXPECT_EQ(after(7), seconds(320));
  EXPECT_EQ(after(8), minutes(10));
  EXPECT_EQ(after(INT_MAX), minutes(10));
}

TEST(BackoffTest, NeverExceedsTheLongest) {
  EXPECT_EQ(BackoffAfter(1, seconds(5), seconds(1)), seconds(1));
  EXPECT_EQ(BackoffAfter(INT_MAX, seconds(1), std::chrono::milliseconds::max()),
            std::chrono::milliseconds::max());
}

TEST(BackoffTest, NoFailureCountsAsOne) {
  EXPECT_EQ(BackoffAfter(0, seconds(5), minutes(10)), seconds(5));
}

}  // namespace
}  // namespace pgsync::core
