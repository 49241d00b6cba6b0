// JsonType::from_json: JSON into values.
#include "rows/json_type.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/typcache.h"
}

namespace pgsync::rows {

namespace {

const char* kind_of_json(const JsonbValue* json) {
  switch (json->type) {
    case jbvNull:
      return "null";
    case jbvString:
      return "string";
    case jbvNumeric:
      return "number";
    case jbvBool:
      return "boolean";
    default:
      return JsonContainerIsArray(json->val.binary.data) ? "array" : "object";
  }
}

[[noreturn]] void wrong_form(const JsonbValue* json, Oid type) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                  errmsg("cannot read a value of type %s from a JSON %s", format_type_be(type),
                         kind_of_json(json))));
  pg_unreachable();
}

bool is_container(const JsonbValue* json, bool array) {
  return json->type == jbvBinary && !JsonContainerIsScalar(json->val.binary.data) &&
         (array ? JsonContainerIsArray(json->val.binary.data)
                : JsonContainerIsObject(json->val.binary.data));
}

char* string_of(const JsonbValue* json) {
  return pnstrdup(json->val.string.val, json->val.string.len);
}

// The value under `key` if that is the object's only key.
bool unwrap(const JsonbValue* json, const char* key, JsonbValue* value) {
  if (!is_container(json, false) || JsonContainerSize(json->val.binary.data) != 1) return false;
  return getKeyJsonValueFromContainer(json->val.binary.data, key, static_cast<int>(strlen(key)),
                                      value) != nullptr;
}

Jsonb* as_jsonb(JsonbValue* json) {
  return JsonbValueToJsonb(json);
}

}  // namespace

Datum JsonType::input(const char* text) {
  return InputFunctionCall(&input_, const_cast<char*>(text), io_param_, typmod_);
}

Datum JsonType::number_from_json(Datum number) {
  if (kind_ == Kind::kNumeric) {
    return typmod_ < 0 ? number : DirectFunctionCall2(::numeric, number, Int32GetDatum(typmod_));
  }
  char* text = DatumGetCString(DirectFunctionCall1(numeric_out, number));
  char* point = kind_ == Kind::kInteger ? strchr(text, '.') : nullptr;
  // 5.0 is the integer 5; 5.5 is for the type's input to refuse.
  if (point != nullptr && point[1 + strspn(point + 1, "0")] == '\0') *point = '\0';
  return input(text);
}

Datum JsonType::scalar_from_json(JsonbValue* json) {
  switch (json->type) {
    case jbvString:
      return input(string_of(json));
    case jbvBool:
      return input(json->val.boolean ? "true" : "false");
    case jbvNumeric:
      return number_from_json(NumericGetDatum(json->val.numeric));
    default:
      wrong_form(json, type_);
  }
}

// A byte that is no character by itself is written as \ooo, as later versions of the server do.
Datum JsonType::char_from_json(JsonbValue* json) {
  const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  if (json->type == jbvString && json->val.string.len == 4) {
    const char* text = json->val.string.val;
    if (text[0] == '\\' && text[1] <= '3' && is_octal(text[1]) && is_octal(text[2]) &&
        is_octal(text[3])) {
      return CharGetDatum(
          static_cast<char>((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0')));
    }
  }
  return scalar_from_json(json);
}

Datum JsonType::json_from_json(JsonbValue* json) {
  JsonbValue text;
  if (unwrap(json, kJsonWrapper, &text) && text.type == jbvString) return input(string_of(&text));
  Jsonb* jsonb = as_jsonb(json);
  return input(JsonbToCString(nullptr, &jsonb->root, VARSIZE(jsonb)));
}

Datum JsonType::jsonb_from_json(JsonbValue* json) {
  JsonbValue inner;
  if (unwrap(json, kJsonbWrapper, &inner)) return JsonbPGetDatum(as_jsonb(&inner));
  return JsonbPGetDatum(as_jsonb(json));
}

namespace {

constexpr int kMaxDims = MAXDIM;

struct ArrayShape {
  int levels;
  int dims[kMaxDims];
};

// The first elements tell the dimensions: an array in the place of an element is one more.
ArrayShape shape_of(JsonbContainer* outermost, Oid type) {
  ArrayShape shape = {};
  for (JsonbContainer* level = outermost; level != nullptr;) {
    if (shape.levels == kMaxDims) {
      ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                      errmsg("a JSON array nests too deep for type %s", format_type_be(type))));
    }
    const auto size = JsonContainerSize(level);
    shape.dims[shape.levels++] = static_cast<int>(size);
    JsonbValue* first = size > 0 ? getIthJsonbValueFromContainer(level, 0) : nullptr;
    level = first != nullptr && is_container(first, true) ? first->val.binary.data : nullptr;
  }
  return shape;
}

[[noreturn]] void not_rectangular(Oid type) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                  errmsg("a JSON array for type %s must be rectangular", format_type_be(type))));
  pg_unreachable();
}

}  // namespace

Datum JsonType::array_from_json(JsonbValue* json) {
  check_stack_depth();
  if (json->type == jbvString) return input(string_of(json));
  if (!is_container(json, true)) wrong_form(json, type_);

  const ArrayShape shape = shape_of(json->val.binary.data, type_);
  ArrayBuildState* state = initArrayResult(element_->type_, CurrentMemoryContext, false);
  JsonbIterator* iterator = JsonbIteratorInit(json->val.binary.data);
  JsonbValue item;
  int level = -1;
  for (;;) {
    const JsonbIteratorToken token = JsonbIteratorNext(&iterator, &item, level == shape.levels - 1);
    if (token == WJB_DONE) break;
    CHECK_FOR_INTERRUPTS();
    if (token == WJB_BEGIN_ARRAY && level < shape.levels - 1) {
      level++;
      if (item.val.array.nElems != shape.dims[level]) not_rectangular(type_);
    } else if (token == WJB_END_ARRAY) {
      level--;
    } else {
      // An element, or a container skipped over as one; above the innermost level it has no place.
      if (level != shape.levels - 1 || is_container(&item, true)) not_rectangular(type_);
      bool is_null;
      Datum value;
      const bool as_text = item.type == jbvString &&
                           (element_->kind_ == Kind::kJson || element_->kind_ == Kind::kJsonb);
      if (as_text) {
        is_null = false;
        value = element_->input(string_of(&item));
      } else {
        value = element_->element_from_json(&item, &is_null);
      }
      state = accumArrayResult(state, value, is_null, element_->type_, CurrentMemoryContext);
    }
  }
  if (state->nelems == 0) return PointerGetDatum(construct_empty_array(element_->type_));
  int lower_bounds[kMaxDims];
  for (int& bound : lower_bounds)
    bound = 1;
  return makeMdArrayResult(state, shape.levels, const_cast<int*>(shape.dims), lower_bounds,
                           CurrentMemoryContext, false);
}

Datum JsonType::composite_from_json(JsonbValue* json) {
  check_stack_depth();
  if (json->type == jbvString) return input(string_of(json));
  if (!is_container(json, false)) wrong_form(json, type_);
  const int count = static_cast<int>(fields_.size());
  auto* values = static_cast<Datum*>(palloc0(sizeof(Datum) * (count + 1)));
  auto* nulls = static_cast<bool*>(palloc(count + 1));
  memset(nulls, true, count);
  JsonbIterator* iterator = JsonbIteratorInit(json->val.binary.data);
  JsonbValue key, item;
  while (JsonbIteratorNext(&iterator, &key, true) != WJB_DONE) {
    if (key.type != jbvString) continue;  // the begin and end of the object
    (void)JsonbIteratorNext(&iterator, &item, true);
    int i = 0;
    while (i < count &&
           (fields_[i].name.size() != static_cast<size_t>(key.val.string.len) ||
            memcmp(fields_[i].name.data(), key.val.string.val, key.val.string.len) != 0)) {
      i++;
    }
    if (i == count) {
      ereport(ERROR,
              (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
               errmsg("type %s has no field \"%s\"", format_type_be(type_), string_of(&key))));
    }
    values[i] = fields_[i].type->element_from_json(&item, &nulls[i]);
  }
  TupleDesc desc = lookup_rowtype_tupdesc(base_, -1);
  if (desc->natts != count) elog(ERROR, "type %s was changed meanwhile", format_type_be(type_));
  HeapTuple tuple = heap_form_tuple(desc, values, nulls);
  ReleaseTupleDesc(desc);
  return HeapTupleGetDatum(tuple);
}

Datum JsonType::from_json(JsonbValue* json, bool* is_null) {
  *is_null = json->type == jbvNull;
  if (*is_null) return (Datum)0;
  switch (kind_) {
    case Kind::kArray:
      return array_from_json(json);
    case Kind::kComposite:
      return composite_from_json(json);
    case Kind::kJson:
      return json_from_json(json);
    case Kind::kJsonb:
      return jsonb_from_json(json);
    case Kind::kChar:
      return char_from_json(json);
    default:
      return scalar_from_json(json);
  }
}

void JsonType::check_domain(Datum value, bool is_null) {
  if (type_ != base_) domain_check(value, is_null, type_, &domain_cache_, context_);
}

// Of an element or a field, which is never stored without a check.
Datum JsonType::element_from_json(JsonbValue* json, bool* is_null) {
  const Datum value = from_json(json, is_null);
  check_domain(value, *is_null);
  return value;
}

}  // namespace pgsync::rows
