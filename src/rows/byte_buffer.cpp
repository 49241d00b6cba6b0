#include "rows/byte_buffer.h"

#include <algorithm>

#include "core/row_format.h"

namespace pgsync::rows {

namespace {
constexpr size_t kInitialSize = 128 * 1024;
constexpr size_t kKeptSize = 4 * 1024 * 1024;
// One below the limit of MaxAllocSize: what the other side has to hold in one piece.
constexpr size_t kMaxSize = MaxAllocSize - 64;
}  // namespace

void reserve_bytes(ByteBuffer& buffer, size_t size) {
  if (size > kMaxSize || buffer.used > kMaxSize - size) {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("row is too large to be sent"),
                    errdetail("It takes more than %zu bytes.", kMaxSize)));
  }
  const size_t needed = buffer.used + size;
  size_t capacity = std::max(buffer.capacity, kInitialSize);
  while (capacity < needed)
    capacity = std::min(capacity * 2, kMaxSize);
  if (buffer.data == nullptr) {
    buffer.data = static_cast<char*>(MemoryContextAllocHuge(buffer.context, capacity));
  } else {
    buffer.data = static_cast<char*>(repalloc_huge(buffer.data, capacity));
  }
  buffer.capacity = capacity;
}

void append_counted(ByteBuffer& buffer, const char* bytes, size_t size) {
  char* at = claim_bytes(buffer, core::kMaxVarintSize + size);
  const size_t prefix = core::PutVarint(at, static_cast<uint32_t>(size));
  memcpy(at + prefix, bytes, size);
  buffer.used -= core::kMaxVarintSize - prefix;
}

void clear_bytes(ByteBuffer& buffer) {
  buffer.used = 0;
  if (buffer.capacity > kKeptSize) {
    pfree(buffer.data);
    buffer.data = nullptr;
    buffer.capacity = 0;
  }
}

}  // namespace pgsync::rows
