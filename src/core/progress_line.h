// A line that shows how far a transfer has come.
#pragma once

#include <cstdint>
#include <string>

namespace pgsync::core {

/// "orders  [######----]  61 %  1220000 rows, 610000 rows/s, 1 s left"; without the bar and the
/// time left where the total (-1) is not known. An estimate that was too low shows 99 %.
std::string ProgressLine(const std::string& table, int64_t done, int64_t total, double seconds);

}  // namespace pgsync::core
