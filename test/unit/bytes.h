// Literals with zero bytes in them.
#pragma once

#include <cstddef>
#include <string>

namespace pgsync::test {

/// All bytes of a literal but the zero that ends it, without anybody having to count them.
template <size_t N>
std::string Bytes(const char (&literal)[N]) {
  return std::string(literal, N - 1);
}

}  // namespace pgsync::test
