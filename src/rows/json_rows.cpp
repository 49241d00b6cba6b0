#include "rows/json_rows.h"

namespace pgsync::rows {

JsonRows::JsonRows(const std::vector<const catalog::Column*>& columns)
    : types_context_("sync JSON types"), scratch_("sync JSON row") {
  catalog::TextDependence text;
  for (const catalog::Column* column : columns) {
    Field field;
    field.name = column->name;
    field.type = std::make_unique<JsonType>(column->type, column->typmod, types_context_.get());
    text.Add(field.type->text());
    fields_.push_back(std::move(field));
  }
  settings_ = std::make_unique<CanonicalSettings>(text);
}

void JsonRows::take_row(TupleTableSlot* slot) {
  slot_getallattrs(slot);
  const MemoryContext saved = MemoryContextSwitchTo(scratch_.get());
  settings_->enter();
  JsonbParseState* state = nullptr;
  pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
  for (size_t i = 0; i < fields_.size(); i++) {
    JsonbValue name, value;
    set_json_string(&name, fields_[i].name.data(), fields_[i].name.size());
    pushJsonbValue(&state, WJB_KEY, &name);
    if (slot->tts_isnull[i]) {
      value.type = jbvNull;
    } else {
      fields_[i].type->to_json(slot->tts_values[i], &value);
    }
    pushJsonbValue(&state, WJB_VALUE, &value);
  }
  Jsonb* object = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr));
  settings_->leave();
  MemoryContextSwitchTo(saved);
  take_object(object);
  MemoryContextReset(scratch_.get());
}

}  // namespace pgsync::rows
