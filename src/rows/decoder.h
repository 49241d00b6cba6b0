// Rows from the binary row format (core/row_format.h) into values of a local table's columns.
#pragma once

#include <memory>
#include <vector>

#include "catalog/table.h"
#include "core/row_format.h"
#include "pg/memory.h"
#include "rows/canonical.h"

namespace pgsync::rows {

class RowDecoder {
 public:
  struct Request {
    const catalog::Column* column;  ///< where the values go
    core::WireColumn wire;          ///< how they come
  };
  /// Decodes rows with these columns, in this order; text in `encoding`. Raises 08P01 where a width
  /// is not the one that the type has. The backend's client encoding must be `encoding` while rows
  /// are decoded (pg::ClientEncodingScope).
  RowDecoder(const std::vector<Request>& requests, int encoding);

  size_t columns() const { return decoders_.size(); }

  /// Begins with the rows of a frame; the bytes are scribbled on, data[size] too.
  void Begin(char* data, size_t size);
  /// Raises 08P01 where there is more after the frame's last row.
  void RequireEnd() const;

  /// Decodes the next row into arrays of columns() elements, in the current memory context. What a
  /// value's type refuses is raised as that type's error, and the row has then been passed over;
  /// what is no row at all is 08P01. For leaves.
  void decode_row(Datum* values, bool* nulls);
  /// Decodes one value of the row that was decoded, or refused, last; as a value of the type under
  /// all domains. For leaves.
  Datum decode_field(size_t column, bool* is_null);
  /// After a row that was refused: the caller's settings are in force again.
  void Recover();

 private:
  enum class Kind {
    kInt16,
    kInt32,
    kInt64,
    kBool,
    kChar,
    kUuid,
    kDate,
    kTimestamp,
    kBytes,
    kPlainText,
    kReceive,
    kInput
  };
  struct Decoder {
    Kind kind;
    int width;
    Oid domain;  // whose constraints are to be checked; InvalidOid: no domain
    void* domain_cache;
    Oid io_param;
    int32 typmod;
    FmgrInfo function;
  };
  struct Field {
    char* data;
    uint32 size;
    bool is_null;
  };
  void locate_fields();
  void repair();
  Datum receive_value(Decoder& decoder, const Field& field);
  Datum decode_value(Decoder& decoder, const Field& field);

  std::vector<Decoder> decoders_;
  bool any_domain_ = false;
  std::vector<Field> fields_;
  pg::OwnedContext context_;
  std::unique_ptr<CanonicalSettings> settings_;
  int encoding_;
  char* at_ = nullptr;
  char* end_ = nullptr;
  char* patched_ = nullptr;  // a byte that a terminator stands on
  char patched_byte_ = 0;
};

}  // namespace pgsync::rows
