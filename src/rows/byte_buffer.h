// A growing buffer for leaves: palloc'd, so an error that longjmps over it loses nothing.
#pragma once

#include "pg/guard.h"

namespace pgsync::rows {

struct ByteBuffer {
  char* data = nullptr;
  size_t used = 0;
  size_t capacity = 0;
  MemoryContext context = nullptr;
};

/// Makes room for `size` more bytes. Raises 54000 above PostgreSQL's limit for one value.
void reserve_bytes(ByteBuffer& buffer, size_t size);

inline char* claim_bytes(ByteBuffer& buffer, size_t size) {
  if (buffer.capacity - buffer.used < size) reserve_bytes(buffer, size);
  char* at = buffer.data + buffer.used;
  buffer.used += size;
  return at;
}

inline void append_bytes(ByteBuffer& buffer, const char* bytes, size_t size) {
  memcpy(claim_bytes(buffer, size), bytes, size);
}

/// A varint with the size, then the bytes (core/row_format.h).
void append_counted(ByteBuffer& buffer, const char* bytes, size_t size);

/// Empties the buffer; gives memory back where a large value had blown it up.
void clear_bytes(ByteBuffer& buffer);

}  // namespace pgsync::rows
