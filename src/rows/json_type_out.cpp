// JsonType::to_json: values into JSON.
#include "rows/encoder.h"
#include "rows/json_type.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
}

namespace pgsync::rows {

namespace {

void set_string(JsonbValue* json, const char* text) {
  set_json_string(json, text, strlen(text));
}

}  // namespace

bool is_only_key(JsonbContainer* container, const char* key) {
  if (!JsonContainerIsObject(container) || JsonContainerSize(container) != 1) return false;
  JsonbValue found;
  return getKeyJsonValueFromContainer(container, key, static_cast<int>(strlen(key)), &found) !=
         nullptr;
}

bool is_wrapped(Jsonb* jsonb) {
  if (!JB_ROOT_IS_SCALAR(jsonb)) return is_only_key(&jsonb->root, kJsonbWrapper);
  JsonbValue scalar;
  JsonbExtractScalar(&jsonb->root, &scalar);
  return scalar.type == jbvNull;
}

namespace {

void wrap(JsonbValue* out, const char* key, JsonbValue* value) {
  JsonbParseState* state = nullptr;
  pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
  JsonbValue name;
  set_string(&name, key);
  pushJsonbValue(&state, WJB_KEY, &name);
  pushJsonbValue(&state, WJB_VALUE, value);
  *out = *pushJsonbValue(&state, WJB_END_OBJECT, nullptr);
}

void set_jsonb(JsonbValue* out, Datum value) {
  Jsonb* jsonb = DatumGetJsonbP(value);
  JsonbValue plain;
  if (JB_ROOT_IS_SCALAR(jsonb)) {
    JsonbExtractScalar(&jsonb->root, &plain);
  } else {
    plain.type = jbvBinary;
    plain.val.binary.data = &jsonb->root;
    plain.val.binary.len = static_cast<int>(VARSIZE(jsonb) - VARHDRSZ);
  }
  if (is_wrapped(jsonb)) {
    wrap(out, kJsonbWrapper, &plain);
  } else {
    *out = plain;
  }
}

}  // namespace

// Whether the bytes of a value are its text, but for json, which has a form of its own.
bool JsonType::is_plain_text() const {
  return kind_ == Kind::kText && IsPlainText(base_);
}

const char* JsonType::text_of(Datum value) {
  const char* text = OutputFunctionCall(&output_, value);
  // An array's text may hold values of type "char", which need not be text of the encoding.
  if (kind_ == Kind::kArray) pg_verifymbstr(text, static_cast<int>(strlen(text)), false);
  return text;
}

void JsonType::text_to_json(Datum value, JsonbValue* out) {
  if (is_plain_text()) {
    auto* text = reinterpret_cast<varlena*>(PG_DETOAST_DATUM_PACKED(value));
    set_json_string(out, VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
    return;
  }
  set_string(out, text_of(value));
}

// Whether a number of a floating-point type, or numeric, is one of JSON's.
bool JsonType::is_plain_number(Datum value) const {
  if (kind_ == Kind::kNumeric) {
    Numeric number = DatumGetNumeric(value);
    return !numeric_is_nan(number) && !numeric_is_inf(number);
  }
  const double number =
      base_ == FLOAT4OID ? static_cast<double>(DatumGetFloat4(value)) : DatumGetFloat8(value);
  return std::isfinite(number) && !(number == 0 && std::signbit(number));
}

bool JsonType::has_plain_bounds(const ArrayType* array) const {
  for (int i = 0; i < ARR_NDIM(array); i++) {
    if (ARR_LBOUND(array)[i] != 1) return false;
  }
  return true;
}

JsonType::Elements JsonType::elements_of(ArrayType* array) const {
  int16 length;
  bool by_value;
  char align;
  get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
  Elements elements;
  deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &elements.values,
                    &elements.nulls, &elements.count);
  return elements;
}

bool JsonType::elements_are_strings() const {
  return element_->kind_ == Kind::kJson || element_->kind_ == Kind::kJsonb;
}

int64 JsonType::integer_of(Datum value) const {
  switch (base_) {
    case INT2OID:
      return DatumGetInt16(value);
    case INT4OID:
      return DatumGetInt32(value);
    case OIDOID:
      return DatumGetObjectId(value);
    default:
      return DatumGetInt64(value);
  }
}

const char* JsonType::char_text_of(Datum value) {
  const auto byte = static_cast<unsigned char>(DatumGetChar(value));
  return IS_HIGHBIT_SET(byte) ? psprintf("\\%03o", byte) : text_of(value);
}

void JsonType::to_json(Datum value, JsonbValue* out) {
  switch (kind_) {
    case Kind::kBool:
      out->type = jbvBool;
      out->val.boolean = DatumGetBool(value);
      return;
    case Kind::kInteger:
      out->type = jbvNumeric;
      out->val.numeric = int64_to_numeric(integer_of(value));
      return;
    case Kind::kFloat: {
      char* text = OutputFunctionCall(&output_, value);
      if (is_plain_number(value)) {
        out->type = jbvNumeric;
        out->val.numeric = DatumGetNumeric(DirectFunctionCall3(
            numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
      } else {
        set_string(out, text);
      }
      return;
    }
    case Kind::kNumeric:
      if (is_plain_number(value)) {
        out->type = jbvNumeric;
        out->val.numeric = DatumGetNumeric(value);
      } else {
        text_to_json(value, out);
      }
      return;
    case Kind::kDateTime: {
      auto* text = static_cast<char*>(palloc(MAXDATELEN + 1));
      JsonEncodeDateTime(text, value, base_, nullptr);
      set_string(out, text);
      return;
    }
    case Kind::kJson: {
      JsonbValue text;
      text_to_json(value, &text);
      wrap(out, kJsonWrapper, &text);
      return;
    }
    case Kind::kJsonb:
      set_jsonb(out, value);
      return;
    case Kind::kArray:
      array_to_json(value, out);
      return;
    case Kind::kComposite:
      composite_to_json(value, out);
      return;
    case Kind::kChar:
      set_string(out, char_text_of(value));
      return;
    case Kind::kText:
      text_to_json(value, out);
      return;
  }
}

void JsonType::array_level_to_json(JsonbParseState** state, const int* dims, int level, int levels,
                                   Datum** elements, bool** nulls, JsonbValue* result) {
  pushJsonbValue(state, WJB_BEGIN_ARRAY, nullptr);
  for (int i = 0; i < dims[level]; i++) {
    CHECK_FOR_INTERRUPTS();
    if (level + 1 < levels) {
      array_level_to_json(state, dims, level + 1, levels, elements, nulls, nullptr);
      continue;
    }
    JsonbValue element;
    if (**nulls) {
      element.type = jbvNull;
    } else if (elements_are_strings()) {
      element_->text_to_json(**elements, &element);
    } else {
      element_->to_json(**elements, &element);
    }
    pushJsonbValue(state, WJB_ELEM, &element);
    ++*elements;
    ++*nulls;
  }
  JsonbValue* built = pushJsonbValue(state, WJB_END_ARRAY, nullptr);
  if (result != nullptr) *result = *built;
}

void JsonType::array_to_json(Datum value, JsonbValue* out) {
  check_stack_depth();
  ArrayType* array = DatumGetArrayTypeP(value);
  const int levels = ARR_NDIM(array);
  if (!has_plain_bounds(array)) {
    text_to_json(value, out);
    return;
  }
  JsonbParseState* state = nullptr;
  if (levels == 0) {
    pushJsonbValue(&state, WJB_BEGIN_ARRAY, nullptr);
    *out = *pushJsonbValue(&state, WJB_END_ARRAY, nullptr);
    return;
  }
  Elements elements = elements_of(array);
  array_level_to_json(&state, ARR_DIMS(array), 0, levels, &elements.values, &elements.nulls, out);
}

void JsonType::composite_to_json(Datum value, JsonbValue* out) {
  check_stack_depth();
  HeapTupleHeader header = DatumGetHeapTupleHeader(value);
  JsonbParseState* state = nullptr;
  pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
  for (size_t i = 0; i < fields_.size(); i++) {
    if (fields_[i].name.empty()) continue;
    JsonbValue name, field;
    set_json_string(&name, fields_[i].name.data(), fields_[i].name.size());
    pushJsonbValue(&state, WJB_KEY, &name);
    bool is_null;
    const Datum attribute = GetAttributeByNum(header, static_cast<AttrNumber>(i + 1), &is_null);
    if (is_null) {
      field.type = jbvNull;
    } else {
      fields_[i].type->to_json(attribute, &field);
    }
    pushJsonbValue(&state, WJB_VALUE, &field);
  }
  *out = *pushJsonbValue(&state, WJB_END_OBJECT, nullptr);
}

}  // namespace pgsync::rows
