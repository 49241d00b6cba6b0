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

JsonRows::JsonRows(const std::vector<const catalog::Column*>& columns) : JsonColumns(columns) {
  for (const Member& member : members_) {
    const std::string& name = fields_[member.position].name;
    JsonbPair pair = {};
    set_json_string(&pair.key, name.data(), name.size());
    pairs_.push_back(pair);
  }
}

void JsonRows::take_row(TupleTableSlot* slot) {
  slot_getallattrs(slot);
  const MemoryContext saved = MemoryContextSwitchTo(scratch());
  settings().enter();
  for (size_t i = 0; i < members_.size(); i++) {
    const size_t column = members_[i].position;
    if (slot->tts_isnull[column]) {
      pairs_[i].value.type = jbvNull;
    } else {
      fields_[column].type->to_json(slot->tts_values[column], &pairs_[i].value);
    }
  }
  // As pushJsonbValue() would leave it: in the order of jsonb, no key twice.
  JsonbValue row;
  row.type = jbvObject;
  row.val.object.nPairs = static_cast<int>(pairs_.size());
  row.val.object.pairs = pairs_.data();
  Jsonb* object = JsonbValueToJsonb(&row);
  settings().leave();
  MemoryContextSwitchTo(saved);
  take_object(object);
  MemoryContextReset(scratch());
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
  MemoryContextReset(scratch());
}

}  // namespace pgsync::rows
