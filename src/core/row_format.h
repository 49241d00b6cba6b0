// How a row looks inside a 'D' frame (core/row_stream.h), and the header that tells its columns.
//
//   row   := bitmap[columns / 8 + 1]  value*        bit i (least significant first) set: null
//   value := fixed[width]                            for columns of a fixed width
//          | length:varint bytes[length]             for the others
//
// A value is either what the type's send function makes (binary; big-endian) or the canonical text
// of the type's output function in the encoding of the stream. Varints are LEB128, at most 5 bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace pgsync::core {

struct WireColumn {
  std::string name;
  bool binary = false;
  int width = -1;  ///< bytes of every value, or -1
};

struct RowHeader {
  std::string encoding;  ///< PostgreSQL's name of the encoding of all text in the rows
  std::vector<WireColumn> columns;

  std::string ToJson() const;
  static RowHeader FromJson(const JsonObject& json);
};

inline constexpr size_t kMaxVarintSize = 5;

constexpr size_t NullBitmapSize(size_t columns) {
  return columns / 8 + 1;
}

/// Writes 1 to 5 bytes, returns how many.
inline size_t PutVarint(char* to, uint32_t value) noexcept {
  size_t n = 0;
  while (value >= 0x80) {
    to[n++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  to[n++] = static_cast<char>(value);
  return n;
}

/// Reads a varint from [*from, end) and moves *from behind it; false if there is none.
inline bool GetVarint(const char** from, const char* end, uint32_t* value) noexcept {
  uint64_t result = 0;
  const char* at = *from;
  for (unsigned shift = 0; shift < 7 * kMaxVarintSize; shift += 7) {
    if (at == end) return false;
    const auto byte = static_cast<unsigned char>(*at++);
    result |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) {
      *from = at;
      *value = static_cast<uint32_t>(result);
      return result <= UINT32_MAX;
    }
  }
  return false;
}

}  // namespace pgsync::core
