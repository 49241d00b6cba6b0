// Rows as the JSON objects that PhoenixKit reads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "catalog/table.h"
#include "core/phoenix_value.h"
#include "pg/memory.h"
#include "rows/byte_buffer.h"
#include "rows/canonical.h"

extern "C" {
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
}

namespace pgsync::rows {

/// What the values are like: PhoenixKit reads those that come over HTTP by other rules than those
/// that come over a WebSocket, and knows nothing of "pgtext", which loses nothing.
enum class PhoenixForm { kHttp, kWebSocket, kPgText };

/// Writes values of one type.
class PhoenixOutput {
 public:
  /// Functions keep their state in `context`, which must outlive the object.
  PhoenixOutput(Oid type, int32 typmod, PhoenixForm form, MemoryContext context);

  /// Appends a value of a column, of a key or not, as JSON in UTF-8. For leaves, under canonical
  /// settings.
  void append(StringInfo out, Datum value, bool key);

 private:
  void append_http(StringInfo out, Datum value, bool key);
  void append_web_socket(StringInfo out, Datum value);
  void append_element(StringInfo out, Datum value);
  void append_number(StringInfo out, const char* text);
  void append_array(StringInfo out, Datum value);
  void append_level(StringInfo out, const int* dims, int level, int levels, Datum** elements,
                    bool** nulls);
  void append_string(StringInfo out, const char* text);
  char* text_of(Datum value) { return OutputFunctionCall(&output_, value); }

  core::PhoenixType type_;
  PhoenixForm form_;
  bool may_be_bytes_;  // the text may be no text of the database's encoding
  FmgrInfo output_;
  FmgrInfo hstore_to_json_;
  int16 length_ = 0;  // how elements of arrays are stored
  bool by_value_ = false;
  char align_ = '\0';
  Oid element_type_ = InvalidOid;
  std::unique_ptr<PhoenixOutput> element_;
};

class PhoenixEncoder {
 public:
  struct Request {
    const catalog::Column* column;
    bool key;  ///< of the primary key
  };
  /// Encodes rows with these columns, in this order.
  PhoenixEncoder(const std::vector<Request>& requests, PhoenixForm form);

  /// Appends one object. For leaves.
  void append_row(ByteBuffer& buffer, TupleTableSlot* slot);

 private:
  struct Field {
    std::string label;  // "name":
    bool key;
    std::unique_ptr<PhoenixOutput> output;
  };
  pg::OwnedContext context_;  // what the functions keep
  pg::OwnedContext scratch_;  // one row
  std::vector<Field> fields_;
  std::unique_ptr<CanonicalSettings> settings_;
};

}  // namespace pgsync::rows
