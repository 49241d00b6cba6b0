// JsonType::append_json: values into text of JSON, without a tree in between.
#include "core/json.h"
#include "rows/json_type.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
}

namespace pgsync::rows {

namespace {

void append(ByteBuffer& out, const char* text) {
  append_bytes(out, text, strlen(text));
}

void append_container(ByteBuffer& out, Jsonb* jsonb) {
  StringInfoData text;
  initStringInfo(&text);
  (void)JsonbToCString(&text, &jsonb->root, VARSIZE(jsonb));
  append_bytes(out, text.data, static_cast<size_t>(text.len));
}

void begin_wrapper(ByteBuffer& out, const char* key) {
  append(out, "{\"");
  append(out, key);
  append(out, "\": ");
}

}  // namespace

void append_json_string(ByteBuffer& out, const char* text, size_t size) {
  const std::string_view view(text, size);
  const size_t room = core::JsonStringRoom(view);
  char* const at = claim_bytes(out, room);
  out.used -= room - static_cast<size_t>(core::PutJsonString(at, view) - at);
}

void JsonType::append_text(ByteBuffer& out, Datum value) {
  if (is_plain_text()) {
    auto* text = reinterpret_cast<varlena*>(PG_DETOAST_DATUM_PACKED(value));
    append_json_string(out, VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
    return;
  }
  const char* text = text_of(value);
  append_json_string(out, text, strlen(text));
}

void JsonType::append_json(ByteBuffer& out, Datum value) {
  switch (kind_) {
    case Kind::kBool:
      append(out, DatumGetBool(value) ? "true" : "false");
      return;
    case Kind::kInteger: {
      constexpr size_t kDigits = MAXINT8LEN + 1;  // pg_lltoa() ends them with a zero
      out.used -=
          kDigits - static_cast<size_t>(pg_lltoa(integer_of(value), claim_bytes(out, kDigits)));
      return;
    }
    case Kind::kFloat: {
      if (!is_plain_number(value)) {
        append_text(out, value);
        return;
      }
      char* text = OutputFunctionCall(&output_, value);
      if (strchr(text, 'e') != nullptr) {  // numeric, and so jsonb, has no exponents
        text = DatumGetCString(DirectFunctionCall1(
            numeric_out, DirectFunctionCall3(numeric_in, CStringGetDatum(text),
                                             ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1))));
      }
      append(out, text);
      return;
    }
    case Kind::kNumeric:
      if (is_plain_number(value)) {
        append(out, OutputFunctionCall(&output_, value));
      } else {
        append_text(out, value);
      }
      return;
    case Kind::kDateTime: {
      char text[MAXDATELEN + 1];
      JsonEncodeDateTime(text, value, base_, nullptr);
      append_json_string(out, text, strlen(text));
      return;
    }
    case Kind::kJson:
      begin_wrapper(out, kJsonWrapper);
      append_text(out, value);
      append(out, "}");
      return;
    case Kind::kJsonb:
      append_jsonb(out, value);
      return;
    case Kind::kArray:
      append_array(out, value);
      return;
    case Kind::kComposite:
      append_composite(out, value);
      return;
    case Kind::kChar: {
      const char* text = char_text_of(value);
      append_json_string(out, text, strlen(text));
      return;
    }
    case Kind::kText:
      append_text(out, value);
      return;
  }
}

void JsonType::append_jsonb(ByteBuffer& out, Datum value) {
  Jsonb* jsonb = DatumGetJsonbP(value);
  const bool wrapped = is_wrapped(jsonb);
  if (wrapped) begin_wrapper(out, kJsonbWrapper);
  append_container(out, jsonb);
  if (wrapped) append(out, "}");
}

void JsonType::append_array(ByteBuffer& out, Datum value) {
  check_stack_depth();
  ArrayType* array = DatumGetArrayTypeP(value);
  const int levels = ARR_NDIM(array);
  if (levels == 0) {
    append(out, "[]");
    return;
  }
  if (!has_plain_bounds(array)) {
    append_text(out, value);
    return;
  }
  const Elements elements = elements_of(array);
  const bool as_text = elements_are_strings();
  // How many elements are under each array of a level.
  int under[MAXDIM];
  for (int level = levels - 1, product = 1; level >= 0; level--)
    under[level] = product *= ARR_DIMS(array)[level];
  for (int i = 0; i < elements.count; i++) {
    CHECK_FOR_INTERRUPTS();
    if (i > 0) append(out, ", ");
    for (int level = 0; level < levels; level++) {
      if (i % under[level] == 0) append(out, "[");
    }
    if (elements.nulls[i]) {
      append(out, "null");
    } else if (as_text) {
      element_->append_text(out, elements.values[i]);
    } else {
      element_->append_json(out, elements.values[i]);
    }
    for (int level = 0; level < levels; level++) {
      if ((i + 1) % under[level] == 0) append(out, "]");
    }
  }
}

void JsonType::append_composite(ByteBuffer& out, Datum value) {
  check_stack_depth();
  HeapTupleHeader header = DatumGetHeapTupleHeader(value);
  for (const Member& member : members_) {
    append_bytes(out, member.label.data(), member.label.size());
    bool is_null;
    const Datum attribute =
        GetAttributeByNum(header, static_cast<AttrNumber>(member.position + 1), &is_null);
    if (is_null) {
      append(out, "null");
    } else {
      fields_[member.position].type->append_json(out, attribute);
    }
  }
  append(out, members_.empty() ? "{}" : "}");
}

}  // namespace pgsync::rows
