#include "rows/row_object.h"

namespace pgsync::rows {

Jsonb* RowObject::make(TupleTableSlot* slot) {
  take_row(slot);
  return object_;
}

void RowObject::take_object(Jsonb* object) {
  object_ = static_cast<Jsonb*>(palloc(VARSIZE(object)));
  memcpy(object_, object, VARSIZE(object));
}

Jsonb* members_of(Jsonb* object, const std::vector<std::string>& names) {
  JsonbParseState* state = nullptr;
  pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
  for (const std::string& member : names) {
    JsonbValue name, value;
    if (getKeyJsonValueFromContainer(&object->root, member.data(), static_cast<int>(member.size()),
                                     &value) == nullptr) {
      elog(ERROR, "JSON object of a row lacks a column");
    }
    set_json_string(&name, member.data(), member.size());
    pushJsonbValue(&state, WJB_KEY, &name);
    pushJsonbValue(&state, WJB_VALUE, &value);
  }
  return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr));
}

}  // namespace pgsync::rows
