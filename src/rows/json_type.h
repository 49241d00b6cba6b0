// How values of a type stand in JSON, exactly and both ways.
//
//   bool                     true, false
//   integers, oid, numeric   numbers; NaN and infinities as strings
//   float4, float8           numbers; NaN, infinities and -0 as strings
//   date, time, timestamp    ISO 8601 strings, in UTC where there is a zone
//   jsonb                    the value itself; the JSON null, and an object whose only key is
//                            "__jsonb__", wrapped: {"__jsonb__": value}
//   json                     its text, wrapped: {"__json__": "text"}
//   arrays                   nested arrays, json and jsonb elements as strings; with lower bounds
//                            other than 1, the literal as a string
//   composite types          objects
//   all others               the canonical text as a string
//   SQL null                 null
//
// On the way in a string is always taken for the type's text as well, and a number or a boolean
// wherever its text is; a plain JSON value is taken for a json or jsonb column.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "catalog/types.h"
#include "pg/memory.h"
#include "rows/byte_buffer.h"

extern "C" {
#include "utils/array.h"
#include "utils/jsonb.h"
}

namespace pgsync::rows {

inline constexpr char kJsonbWrapper[] = "__jsonb__";
inline constexpr char kJsonWrapper[] = "__json__";

/// A member of the objects that are made of a row: which column it is, and what stands before its
/// value.
struct Member {
  size_t position;
  std::string label;
};
/// Members of those names, in the order of jsonb; an empty name makes no member.
std::vector<Member> MembersOf(const std::vector<std::string>& names);

class JsonType {
 public:
  /// Looks the type up; functions keep their state in `context`, which must outlive the object.
  JsonType(Oid type, int32 typmod, MemoryContext context);

  /// The value as JSON, for leaves; `*out` may point into `value`. Arrays and objects come as
  /// trees, but those of jsonb as they are.
  void to_json(Datum value, JsonbValue* out);
  /// The value as text of JSON, the same that jsonb_out() makes of to_json(), in the encoding of
  /// the database. For leaves.
  void append_json(ByteBuffer& out, Datum value);
  /// The value that the JSON stands for, for leaves. Raises what the type's input raises, 22P02
  /// where the JSON is of a form that the type does not have. A JSON null is SQL's. What the domain
  /// says that the type itself may be is left to check_domain().
  Datum from_json(JsonbValue* json, bool* is_null);
  /// Raises what the domain raises, if the type is one. For leaves, under the caller's settings: a
  /// constraint may be code of a user.
  void check_domain(Datum value, bool is_null);

  /// Values are whole numbers: those of integer_of().
  bool is_integer() const { return kind_ == Kind::kInteger; }
  int64 integer_of(Datum value) const;

  /// What the text of its values depends on.
  const catalog::TextDependence& text() const { return text_; }

 private:
  enum class Kind {
    kBool,
    kInteger,
    kFloat,
    kNumeric,
    kChar,
    kDateTime,
    kJson,
    kJsonb,
    kArray,
    kComposite,
    kText
  };
  struct Field {
    std::string name;
    std::unique_ptr<JsonType> type;
  };
  struct Elements {
    Datum* values;
    bool* nulls;
    int count;
  };

  bool is_plain_text() const;
  bool is_plain_number(Datum value) const;
  bool has_plain_bounds(const ArrayType* array) const;
  Elements elements_of(ArrayType* array) const;
  bool elements_are_strings() const;
  const char* text_of(Datum value);
  const char* char_text_of(Datum value);

  void append_text(ByteBuffer& out, Datum value);
  void append_jsonb(ByteBuffer& out, Datum value);
  void append_array(ByteBuffer& out, Datum value);
  void append_composite(ByteBuffer& out, Datum value);

  void array_to_json(Datum value, JsonbValue* out);
  void array_level_to_json(JsonbParseState** state, const int* dims, int level, int levels,
                           Datum** elements, bool** nulls, JsonbValue* result);
  void composite_to_json(Datum value, JsonbValue* out);
  void text_to_json(Datum value, JsonbValue* out);

  Datum element_from_json(JsonbValue* json, bool* is_null);
  Datum input(const char* text);
  Datum number_from_json(Datum number);
  Datum scalar_from_json(JsonbValue* json);
  Datum char_from_json(JsonbValue* json);
  Datum json_from_json(JsonbValue* json);
  Datum jsonb_from_json(JsonbValue* json);
  Datum array_from_json(JsonbValue* json);
  Datum composite_from_json(JsonbValue* json);

  Kind kind_;
  Oid type_;      // as declared
  Oid base_;      // under domains
  int32 typmod_;  // of the base
  FmgrInfo output_;
  FmgrInfo input_;
  Oid io_param_;
  MemoryContext context_;
  void* domain_cache_ = nullptr;
  catalog::TextDependence text_;
  std::unique_ptr<JsonType> element_;
  std::vector<Field> fields_;  // by attribute number; empty name: dropped
  std::vector<Member> members_;
};

/// Sets `json` to a string; the bytes are not copied.
void set_json_string(JsonbValue* json, const char* text, size_t size);

/// Appends a text as a JSON string.
void append_json_string(ByteBuffer& out, const char* text, size_t size);

/// Whether the object's only key is that one.
bool is_only_key(JsonbContainer* container, const char* key);
/// Whether a value of jsonb is wrapped: what would be taken for something else as it is.
bool is_wrapped(Jsonb* jsonb);

}  // namespace pgsync::rows
