#include "rows/phoenix_encoder.h"

#include "core/text.h"
#include "pg/encoding.h"
#include "rows/phoenix_type.h"

extern "C" {
#include "catalog/pg_type.h"
#include "common/base64.h"
#include "mb/pg_wchar.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/uuid.h"
#include "utils/varbit.h"
}

namespace pgsync::rows {

namespace {

using Kind = core::PhoenixType::Kind;

void append_marker(StringInfo out, const char* bytes, int size) {
  const int encoded = pg_b64_enc_len(size);
  appendStringInfo(out, "{\"%s\":\"", core::kPhoenixMarker);
  enlargeStringInfo(out, encoded + 2);
  const int written = pg_b64_encode(bytes, size, out->data + out->len, encoded);
  if (written < 0) elog(ERROR, "could not encode bytes as base64");
  out->len += written;
  appendStringInfoString(out, "\"}");
}

// Text of JSON, which is text of the database's encoding.
void append_json(StringInfo out, const char* json) {
  appendStringInfoString(out, pg_server_to_any(json, static_cast<int>(strlen(json)), PG_UTF8));
}

bool is_utf8(const char* bytes, int size) {
  return pg_verify_mbstr(PG_UTF8, bytes, size, true);
}

// PostgreSQL's text of a timestamp in ISO 8601, where its year has four digits.
const char* iso_timestamp(char* text) {
  const size_t size = strlen(text);
  if (size < 19 || text[4] != '-' || text[10] != ' ' || text[size - 1] == 'C') return text;
  text[10] = 'T';
  if (size >= 22 && strcmp(text + size - 3, "+00") == 0) strcpy(text + size - 3, "Z");
  return text;
}

// The time of day in UTC.
char* utc_time(Datum value) {
  const TimeTzADT* time = DatumGetTimeTzADTP(value);
  int64 utc = (time->time + static_cast<int64>(time->zone) * USECS_PER_SEC) % USECS_PER_DAY;
  if (utc < 0) utc += USECS_PER_DAY;
  return DatumGetCString(DirectFunctionCall1(time_out, TimeADTGetDatum(utc)));
}

// What PhoenixKit takes for a number where it looks a key up: -?digits.digits.
bool looks_like_decimal(const char* text) {
  if (*text == '-') text++;
  const size_t whole = strspn(text, "0123456789");
  if (whole == 0 || text[whole] != '.') return false;
  const char* fraction = text + whole + 1;
  const size_t digits = strspn(fraction, "0123456789");
  return digits > 0 && (fraction[digits] == '\0' || strcmp(fraction + digits, "\n") == 0);
}

const char* skip_json_space(const char* json) {
  return json + strspn(json, " \t\n\r");
}

}  // namespace

PhoenixOutput::PhoenixOutput(Oid type, int32 typmod, PhoenixForm form, MemoryContext context)
    : type_(PhoenixTypeOf(type, typmod)),
      form_(form),
      may_be_bytes_(type_.kind == Kind::kOther || type_.kind == Kind::kArray) {
  pg::Call([&] {
    const Oid base = getBaseType(type);
    Oid function;
    bool is_varlena;
    getTypeOutputInfo(base, &function, &is_varlena);
    fmgr_info_cxt(function, &output_, context);
    if (type_.kind == Kind::kHstore) {
      Oid cast;
      if (find_coercion_pathway(JSONOID, base, COERCION_EXPLICIT, &cast) != COERCION_PATH_FUNC) {
        elog(ERROR, "there is no cast from hstore to json");
      }
      fmgr_info_cxt(cast, &hstore_to_json_, context);
    }
    if (type_.kind == Kind::kArray) {
      element_type_ = get_element_type(base);
      get_typlenbyvalalign(element_type_, &length_, &by_value_, &align_);
    }
  });
  if (OidIsValid(element_type_)) {
    element_ = std::make_unique<PhoenixOutput>(element_type_, typmod, form, context);
  }
}

void PhoenixOutput::append_string(StringInfo out, const char* text) {
  const int size = static_cast<int>(strlen(text));
  const int encoding = GetDatabaseEncoding();
  const bool verify = may_be_bytes_ || encoding == PG_SQL_ASCII;
  const int wanted = encoding == PG_SQL_ASCII ? static_cast<int>(PG_UTF8) : encoding;
  if (verify && !pg_verify_mbstr(wanted, text, size, true)) {
    append_marker(out, text, size);
  } else {
    escape_json(out, pg_server_to_any(text, size, PG_UTF8));
  }
}

void PhoenixOutput::append(StringInfo out, Datum value, bool key) {
  switch (form_) {
    case PhoenixForm::kHttp:
      append_http(out, value, key);
      return;
    case PhoenixForm::kWebSocket:
      append_web_socket(out, value);
      return;
    case PhoenixForm::kPgText:
      append_string(out, text_of(value));
      return;
  }
}

void PhoenixOutput::append_number(StringInfo out, const char* text) {
  if (type_.kind == Kind::kFloat) {
    if (strpbrk(text, "NI") == nullptr) {
      appendStringInfoString(out, text);
    } else {
      escape_json(out, text);  // NaN, Infinity
    }
    return;
  }
  const std::string_view number =
      type_.kind == Kind::kNumeric ? core::PhoenixNumber(text) : std::string_view(text);
  if (number.empty()) {
    escape_json(out, text);
  } else {
    appendBinaryStringInfo(out, number.data(), static_cast<int>(number.size()));
  }
}

void PhoenixOutput::append_http(StringInfo out, Datum value, bool key) {
  switch (type_.kind) {
    case Kind::kText: {
      const char* text = text_of(value);
      if (core::LooksLikePhoenixDateTime(text) || (key && looks_like_decimal(text))) {
        append_marker(out, text, static_cast<int>(strlen(text)));
      } else {
        append_string(out, text);
      }
      return;
    }
    case Kind::kUuid:
      append_marker(out, reinterpret_cast<const char*>(DatumGetUUIDP(value)->data), UUID_LEN);
      return;
    case Kind::kTimeTz:
      escape_json(out, utc_time(value));
      return;
    case Kind::kJson:
    case Kind::kJsonb:
      append_json(out, text_of(value));
      return;
    case Kind::kArray:
      append_array(out, value);
      return;
    case Kind::kHstore:
      append_json(out, TextDatumGetCString(FunctionCall1(&hstore_to_json_, value)));
      return;
    default:
      append_element(out, value);
  }
}

// As in an array, and where it makes no difference that it is in none.
void PhoenixOutput::append_element(StringInfo out, Datum value) {
  switch (type_.kind) {
    case Kind::kBool:
      appendStringInfoString(out, DatumGetBool(value) ? "true" : "false");
      return;
    case Kind::kInteger:
    case Kind::kFloat:
    case Kind::kNumeric:
      append_number(out, text_of(value));
      return;
    case Kind::kTimestamp:
    case Kind::kTimestampTz:
      escape_json(out, iso_timestamp(text_of(value)));
      return;
    case Kind::kBytea: {
      const bytea* bytes = DatumGetByteaPP(value);
      append_marker(out, VARDATA_ANY(bytes), static_cast<int>(VARSIZE_ANY_EXHDR(bytes)));
      return;
    }
    case Kind::kBit:
    case Kind::kVarBit: {
      const VarBit* bits = DatumGetVarBitP(value);
      append_marker(out, reinterpret_cast<const char*>(VARBITS(bits)), VARBITBYTES(bits));
      return;
    }
    default:
      append_string(out, text_of(value));
  }
}

void PhoenixOutput::append_web_socket(StringInfo out, Datum value) {
  switch (type_.kind) {
    case Kind::kBool:
    case Kind::kInteger:
    case Kind::kFloat:
    case Kind::kNumeric:
    case Kind::kTimestamp:
    case Kind::kTimestampTz:
      append_element(out, value);
      return;
    case Kind::kBytea: {
      // PhoenixKit puts the string into SQL, where bytea's input reads it.
      const bytea* bytes = DatumGetByteaPP(value);
      const char* data = VARDATA_ANY(bytes);
      const int size = static_cast<int>(VARSIZE_ANY_EXHDR(bytes));
      if (memchr(data, '\\', size) == nullptr && memchr(data, '\0', size) == nullptr &&
          is_utf8(data, size) &&
          !core::LooksLikePhoenixDateTime({data, static_cast<size_t>(size)})) {
        escape_json(out, pnstrdup(data, size));
      } else {
        append_string(out, text_of(value));
      }
      return;
    }
    case Kind::kJson:
    case Kind::kJsonb: {
      const char* json = text_of(value);
      const char first = *skip_json_space(json);
      if (first == '{' || first == '[') {
        append_json(out, json);
      } else {
        append_string(out, json);
      }
      return;
    }
    default:
      append_string(out, text_of(value));
  }
}

void PhoenixOutput::append_level(StringInfo out, const int* dims, int level, int levels,
                                 Datum** elements, bool** nulls) {
  appendStringInfoChar(out, '[');
  for (int i = 0; i < dims[level]; i++) {
    CHECK_FOR_INTERRUPTS();
    if (i > 0) appendStringInfoChar(out, ',');
    if (level + 1 < levels) {
      append_level(out, dims, level + 1, levels, elements, nulls);
      continue;
    }
    if (**nulls) {
      appendStringInfoString(out, "null");
    } else {
      element_->append_element(out, **elements);
    }
    ++*elements;
    ++*nulls;
  }
  appendStringInfoChar(out, ']');
}

void PhoenixOutput::append_array(StringInfo out, Datum value) {
  ArrayType* array = DatumGetArrayTypeP(value);
  Datum* elements;
  bool* nulls;
  int count;
  deconstruct_array(array, element_type_, length_, by_value_, align_, &elements, &nulls, &count);
  if (ARR_NDIM(array) == 0) {
    appendStringInfoString(out, "[]");
  } else {
    append_level(out, ARR_DIMS(array), 0, ARR_NDIM(array), &elements, &nulls);
  }
}

PhoenixEncoder::PhoenixEncoder(const std::vector<Request>& requests, PhoenixForm form)
    : context_("sync PhoenixKit values"), scratch_("sync PhoenixKit row") {
  catalog::TextDependence text;
  for (const Request& request : requests) {
    const catalog::Column& column = *request.column;
    text.Add(catalog::TextDependenceOf(column.type));
    Field field;
    field.label = core::JsonWriter().String(pg::ToUtf8(column.name)).Take() + ":";
    field.key = request.key;
    field.output =
        std::make_unique<PhoenixOutput>(column.type, column.typmod, form, context_.get());
    fields_.push_back(std::move(field));
  }
  settings_ = std::make_unique<CanonicalSettings>(text);
}

void PhoenixEncoder::append_row(ByteBuffer& buffer, TupleTableSlot* slot) {
  slot_getallattrs(slot);
  const MemoryContext saved = MemoryContextSwitchTo(scratch_.get());
  StringInfoData row;
  initStringInfo(&row);
  settings_->enter();
  for (size_t i = 0; i < fields_.size(); i++) {
    Field& field = fields_[i];
    appendStringInfoChar(&row, i == 0 ? '{' : ',');
    appendBinaryStringInfo(&row, field.label.data(), static_cast<int>(field.label.size()));
    if (slot->tts_isnull[i]) {
      appendStringInfoString(&row, "null");
    } else {
      field.output->append(&row, slot->tts_values[i], field.key);
    }
  }
  settings_->leave();
  appendStringInfoString(&row, fields_.empty() ? "{}" : "}");
  append_bytes(buffer, row.data, static_cast<size_t>(row.len));
  MemoryContextSwitchTo(saved);
  MemoryContextReset(scratch_.get());
}

}  // namespace pgsync::rows
