#include "rows/jsonb_items.h"

namespace pgsync::rows {

namespace {

// An object has an entry for each name and then one for each value; the data of both follow.
char* data_of(JsonbContainer* object) {
  return reinterpret_cast<char*>(object->children + 2 * JsonContainerSize(object));
}

}  // namespace

JsonbItems JsonbItems::OfArray(JsonbContainer* array) {
  const uint32 count = JsonContainerSize(array);
  return {array->children, count, reinterpret_cast<char*>(array->children + count), 0};
}

JsonbItems JsonbItems::NamesOf(JsonbContainer* object) {
  return {object->children, JsonContainerSize(object), data_of(object), 0};
}

JsonbItems JsonbItems::ValuesOf(JsonbContainer* object) {
  JsonbItems names = NamesOf(object);
  while (names.Next()) {
  }
  return {names.next_, JsonContainerSize(object), names.data_, names.end_};
}

JsonbContainer* JsonbItems::AsObject() const {
  return JBE_ISCONTAINER(entry_) && JsonContainerIsObject(container()) ? container() : nullptr;
}

void JsonbItems::Get(JsonbValue* value) const {
  switch (entry_ & JENTRY_TYPEMASK) {
    case JENTRY_ISNULL:
      value->type = jbvNull;
      return;
    case JENTRY_ISSTRING:
      value->type = jbvString;
      value->val.string.val = data_ + begin_;
      value->val.string.len = static_cast<int>(end_ - begin_);
      return;
    case JENTRY_ISNUMERIC:
      value->type = jbvNumeric;
      value->val.numeric = reinterpret_cast<Numeric>(data_ + INTALIGN(begin_));
      return;
    case JENTRY_ISBOOL_TRUE:
    case JENTRY_ISBOOL_FALSE:
      value->type = jbvBool;
      value->val.boolean = JBE_ISBOOL_TRUE(entry_);
      return;
    default:
      // What lies between the items, so that a container is aligned, counts as part of it.
      value->type = jbvBinary;
      value->val.binary.data = container();
      value->val.binary.len = static_cast<int>(end_ - INTALIGN(begin_));
  }
}

}  // namespace pgsync::rows
