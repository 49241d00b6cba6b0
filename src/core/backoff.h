// How long to wait before what has failed is tried again.
#pragma once

#include <chrono>

namespace pgsync::core {

/// `first` after one failure, doubled with each further one, but not more than `longest`.
std::chrono::milliseconds BackoffAfter(int failures, std::chrono::milliseconds first,
                                       std::chrono::milliseconds longest);

}  // namespace pgsync::core
