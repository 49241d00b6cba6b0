#include "core/progress_line.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "errors.h"

namespace pgsync::core {
namespace {

using test::Contains;

TEST(ProgressLineTest, ShowsAllThatIsKnown) {
  EXPECT_EQ(ProgressLine("orders", 1220000, 2000000, 2.0),
            "orders  [############--------]  61 %  1220000 rows, 610000 rows/s, 1 s left");
}

TEST(ProgressLineTest, HasNoBarAndNoTimeLeftWhereTheTotalIsNotKnown) {
  EXPECT_EQ(ProgressLine("orders", 500, -1, 2.0), "orders  500 rows, 250 rows/s");
  EXPECT_EQ(ProgressLine("orders", 0, -1, 0.0), "orders  0 rows, 0 rows/s");
}

TEST(ProgressLineTest, BeginsEmpty) {
  EXPECT_EQ(ProgressLine("t", 0, 100, 0.0), "t  [--------------------]  0 %  0 rows, 0 rows/s");
}

TEST(ProgressLineTest, EstimateThatWasTooLowShows99Percent) {
  for (int64_t done : {int64_t{100}, int64_t{101}, int64_t{1} << 62}) {
    const std::string line = ProgressLine("t", done, 100, 1.0);
    EXPECT_TRUE(Contains(line, "  99 %  ")) << line;
    EXPECT_FALSE(Contains(line, "left")) << line;
  }
}

TEST(ProgressLineTest, EmptyTableHasNoBar) {
  EXPECT_EQ(ProgressLine("t", 0, 0, 1.0), "t  0 rows, 0 rows/s");
}

TEST(ProgressLineTest, NoTimeLeftBeforeAnythingIsKnownOfTheRate) {
  EXPECT_FALSE(Contains(ProgressLine("t", 10, 100, 0.0), "left"));
  EXPECT_FALSE(Contains(ProgressLine("t", 0, 100, 5.0), "left"));
  EXPECT_TRUE(Contains(ProgressLine("t", 10, 100, 5.0), ", 45 s left"));
}

TEST(ProgressLineTest, PercentIsNeverOneTooLow) {
  // 0.29 * 100 is 28.999999999999996 as a double.
  for (int done = 0; done < 100; done++) {
    const std::string line = ProgressLine("t", done, 100, 1.0);
    EXPECT_TRUE(Contains(line, "]  " + std::to_string(done) + " %")) << line;
  }
}

TEST(ProgressLineTest, BarIsAlwaysEquallyWide) {
  for (int64_t done = 0; done <= 1000; done += 7) {
    const std::string line = ProgressLine("t", done, 1000, 1.0);
    const auto filled = std::count(line.begin(), line.end(), '#');
    EXPECT_EQ(filled + std::count(line.begin(), line.end(), '-'), 20);
    EXPECT_EQ(filled, std::min<int64_t>(done, 990) * 20 / 1000) << done;
  }
}

TEST(ProgressLineTest, LargeCountsDoNotOverflow) {
  const std::string line = ProgressLine("t", INT64_MAX / 2, INT64_MAX, 1.0);
  EXPECT_TRUE(Contains(line, "  4611686018427387903 rows, ")) << line;
  EXPECT_TRUE(Contains(line, "]  50 %  ") || Contains(line, "]  49 %  ")) << line;
}

}  // namespace
}  // namespace pgsync::core
