#include "core/progress_line.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/text.h"

namespace pgsync::core {

namespace {

// Whole percents, 99 at most: 100 is for what has ended. In integers, since 0.29 * 100 is less than
// 29 in floating point.
int Percent(int64_t done, int64_t total) {
  if (done >= total) return 99;
  constexpr int64_t kNoOverflow = INT64_MAX / 100;
  return static_cast<int>(done <= kNoOverflow ? done * 100 / total : done / (total / 100));
}

}  // namespace

std::string ProgressLine(const std::string& table, int64_t done, int64_t total, double seconds) {
  constexpr int kWidth = 20;
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string line = table;
  if (total > 0) {
    const int percent = Percent(done, total);
    const int filled = percent * kWidth / 100;
    line += Cat("  [", std::string(filled, '#'), std::string(kWidth - filled, '-'), "]  ", percent,
                " %");
  }
  line += Cat("  ", done, " rows, ", std::llround(rate), " rows/s");
  if (total > done && rate > 0) {
    line += Cat(", ", std::llround(static_cast<double>(total - done) / rate), " s left");
  }
  return line;
}

}  // namespace pgsync::core
