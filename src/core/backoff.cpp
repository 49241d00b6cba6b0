#include "core/backoff.h"

#include <algorithm>

namespace pgsync::core {

std::chrono::milliseconds BackoffAfter(int failures, std::chrono::milliseconds first,
                                       std::chrono::milliseconds longest) {
  std::chrono::milliseconds wait = std::min(first, longest);
  for (int i = 1; i < failures && wait < longest; i++)
    wait = wait < longest / 2 ? wait * 2 : longest;
  return wait;
}

}  // namespace pgsync::core
