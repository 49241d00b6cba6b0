// jsonb objects that differ in their values alone, as those of the rows of a table.
#pragma once

#include <string>
#include <vector>

#include "rows/byte_buffer.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace pgsync::rows {

/// Writes them as they are stored: what stands before the values is made once, and nothing is
/// sorted or put into a tree for each.
class JsonbObject {
 public:
  /// For members of these names, in the order of jsonb, none twice. `context` must outlive the
  /// object.
  JsonbObject(const std::vector<std::string>& names, MemoryContext context);

  // For leaves.
  void begin();
  /// The value of the next member.
  void put(JsonbValue* value);
  void put_integer(int64 value);
  /// After the last one. What it returns lives until the next begin().
  Jsonb* finish();

 private:
  // A number as it is stored.
  struct Number {
    int64 value;
    size_t size;  // 0: none
    char bytes[24];
  };

  void put_entry(uint32 type, size_t size);
  void put_aligned(uint32 type, const void* bytes, size_t size);

  std::string prefix_;  // an object up to its values, those in the array of entries being left open
  uint32 members_;
  size_t keys_size_ = 0;
  ByteBuffer buffer_;
  // The last integer of each member: those of neighbours are often the same.
  std::vector<Number> last_;
  uint32 next_ = 0;       // the member whose value comes next
  size_t data_size_ = 0;  // of keys and values so far
};

}  // namespace pgsync::rows
