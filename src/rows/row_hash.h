// Rows as hashes of 64 bits, alike on two servers (core/digest_protocol.h tells of what).
//
// Rows whose hashes are the same have the same canonical texts, but for accidents. The other way
// round it need not be so: a hash of what is stored may tell values apart that have one text, as
// two NaNs of float8. Who compares by hashes looks again at the rows whose hashes differ.
#pragma once

#include <memory>
#include <vector>

#include "catalog/table.h"
#include "pg/memory.h"
#include "rows/byte_buffer.h"
#include "rows/row_text.h"

extern "C" {
#include "executor/tuptable.h"
}

namespace pgsync::rows {

class RowHasher {
 public:
  struct Column {
    const catalog::Column* column;
    int attribute;  ///< its position in the slots, from 0
    bool image;     ///< hash what is stored: HasImage()
  };
  RowHasher(const std::vector<Column>& columns, uint64_t seed);

  /// Whether values of the type that are stored as the same bytes have the same text, on every
  /// server of the same byte order.
  static bool HasImage(Oid type);

  /// The slot's columns up to the last one that is hashed are deformed. For leaves.
  uint64_t hash_row(TupleTableSlot* slot);

 private:
  enum class Kind { k1, k2, k4, k8, kFixed, kBytes, kText, kOutput };
  struct Source {
    Kind kind;
    int attribute;
    int width;    // of kFixed
    size_t text;  // of kOutput, in text_
  };
  char* put_value(const Source& source, Datum value, char* to);
  char* put_sized(const char* bytes, size_t size, char* to);

  std::vector<Source> sources_;
  uint64_t seed_;
  int attributes_ = 0;  // of the slots that have to be deformed
  size_t fixed_ = 0;    // bytes that a row takes at most, without those of values of any length
  bool convert_;
  std::optional<RowText> text_;
  pg::OwnedContext kept_;
  pg::OwnedContext scratch_;
  bool scratched_ = false;
  ByteBuffer buffer_;
};

}  // namespace pgsync::rows
