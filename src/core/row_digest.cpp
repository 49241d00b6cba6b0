#include "core/row_digest.h"

#include <xxhash.h>

#include "core/text.h"

namespace pgsync::core {

RowHash HashRow(const char* bytes, size_t size) noexcept {
  const XXH128_hash_t hash = XXH3_128bits(bytes, size);
  return {hash.high64, hash.low64};
}

void TableDigest::AddRow(const char* bytes, size_t size) noexcept {
  const RowHash hash = HashRow(bytes, size);
  sum_ += (static_cast<unsigned __int128>(hash.high) << 64) | hash.low;
  rows_++;
}

std::string TableDigest::ToString() const {
  std::string bytes;
  for (int shift = 120; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<char>(sum_ >> shift));
  return Cat("1:", rows_, ":", ToHex(bytes));
}

}  // namespace pgsync::core
