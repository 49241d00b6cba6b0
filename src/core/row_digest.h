// The checksum of a table: rule 1 of what "equal" means.
//
// A row is hashed as the concatenation, in C order of the column names, of
//   length of the name : u32, name in UTF-8, length of the value : u32, canonical text in UTF-8
// where a null has the length 0xffffffff and no bytes; numbers are little-endian. The digest of a
// table is the sum mod 2^128 of XXH3-128 over its rows, so order does not matter and equal rows do
// not cancel each other out. It is against accidents, not against attackers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pgsync::core {

/// XXH3-128 of one row's bytes.
struct RowHash {
  uint64_t high;
  uint64_t low;
};
RowHash HashRow(const char* bytes, size_t size) noexcept;

class TableDigest {
 public:
  static constexpr uint32_t kNull = 0xffffffff;

  void AddRow(const char* bytes, size_t size) noexcept;

  uint64_t rows() const { return rows_; }
  /// "1:<rows>:<32 hexadecimal digits>"
  std::string ToString() const;

 private:
  __extension__ unsigned __int128 sum_ = 0;
  uint64_t rows_ = 0;
};

}  // namespace pgsync::core
