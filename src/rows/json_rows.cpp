#include "rows/json_rows.h"

namespace pgsync::rows {

JsonColumns::JsonColumns(const std::vector<const catalog::Column*>& columns)
    : types_context_("sync JSON types"), scratch_("sync JSON row") {
  catalog::TextDependence text;
  std::vector<std::string> names;
  for (const catalog::Column* column : columns) {
    Field field;
    field.name = column->name;
    field.type = std::make_unique<JsonType>(column->type, column->typmod, types_context_.get());
    text.Add(field.type->text());
    names.push_back(column->name);
    fields_.push_back(std::move(field));
  }
  members_ = MembersOf(names);
  settings_ = std::make_unique<CanonicalSettings>(text);
}

std::vector<std::string> JsonColumns::Names() const {
  std::vector<std::string> names;
  for (const Member& member : members_)
    names.push_back(fields_[member.position].name);
  return names;
}

void JsonColumns::end_row() {
  constexpr Size kFew = 16 * 1024;
  if (MemoryContextMemAllocated(scratch(), false) > kFew) MemoryContextReset(scratch());
}

JsonRows::JsonRows(const std::vector<const catalog::Column*>& columns)
    : JsonColumns(columns), object_(Names(), lasting()) {}

void JsonRows::take_row(TupleTableSlot* slot) {
  slot_getallattrs(slot);
  const MemoryContext saved = MemoryContextSwitchTo(scratch());
  settings().enter();
  object_.begin();
  for (const Member& member : members_) {
    const size_t column = member.position;
    JsonType& type = *fields_[column].type;
    JsonbValue value;
    value.type = jbvNull;
    if (slot->tts_isnull[column]) {
      object_.put(&value);
    } else if (type.is_integer()) {
      object_.put_integer(type.integer_of(slot->tts_values[column]));
    } else {
      type.to_json(slot->tts_values[column], &value);
      object_.put(&value);
    }
  }
  Jsonb* object = object_.finish();
  settings().leave();
  MemoryContextSwitchTo(saved);
  take_object(object);
  end_row();
}

void JsonRowText::append_row(ByteBuffer& out, TupleTableSlot* slot) {
  slot_getallattrs(slot);
  const MemoryContext saved = MemoryContextSwitchTo(scratch());
  settings().enter();
  for (const Member& member : members_) {
    append_bytes(out, member.label.data(), member.label.size());
    if (slot->tts_isnull[member.position]) {
      append_bytes(out, "null", 4);
    } else {
      fields_[member.position].type->append_json(out, slot->tts_values[member.position]);
    }
  }
  if (members_.empty()) append_bytes(out, "{", 1);
  append_bytes(out, "}", 1);
  settings().leave();
  MemoryContextSwitchTo(saved);
  end_row();
}

}  // namespace pgsync::rows
