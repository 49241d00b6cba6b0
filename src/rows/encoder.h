// Rows out of the executor into the binary row format (core/row_format.h).
#pragma once

#include <memory>
#include <vector>

#include "catalog/table.h"
#include "core/row_format.h"
#include "pg/memory.h"
#include "rows/byte_buffer.h"
#include "rows/canonical.h"

extern "C" {
#include "executor/tuptable.h"
}

namespace pgsync::rows {

/// Bytes that every value of the type takes in its binary form, for those types whose form is
/// written and read without calling their functions; -1 for all others.
int FixedWidth(Oid type);

/// Whether the type's binary form is its text, byte for byte.
bool IsPlainText(Oid type);

class RowEncoder {
 public:
  struct Request {
    const catalog::Column* column;
    bool binary;
  };
  /// Encodes rows with these columns, in this order; text in `encoding` (a PostgreSQL encoding
  /// number). The backend's client encoding must be that one while rows are encoded
  /// (pg::ClientEncodingScope).
  RowEncoder(const std::vector<Request>& requests, int encoding);

  const core::RowHeader& header() const { return header_; }

  /// Appends one row. For leaves.
  void append_row(ByteBuffer& buffer, TupleTableSlot* slot);

 private:
  enum class Kind {
    kInt16,
    kInt32,
    kInt64,
    kBool,
    kChar,
    kUuid,
    kBytes,
    kPlainText,
    kSend,
    kOutput
  };
  struct Encoder {
    Kind kind;
    FmgrInfo function;
  };
  void append_value(ByteBuffer& buffer, Encoder& encoder, Datum value);
  void append_text(ByteBuffer& buffer, const char* text, size_t size);

  core::RowHeader header_;
  std::vector<Encoder> encoders_;
  pg::OwnedContext context_;                     // what the functions keep
  pg::OwnedContext scratch_;                     // one row
  std::unique_ptr<CanonicalSettings> settings_;  // null: no value's text depends on them
  int encoding_;
  bool convert_;
};

}  // namespace pgsync::rows
