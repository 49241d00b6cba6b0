// What jsonb arrays and objects hold, one item after the other, as it is stored: the server's own
// functions look up each item anew, by its number or its name.
#pragma once

#include <string_view>

#include "pg/guard.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace pgsync::rows {

/// Items whose data lie one behind the other. What it hands out points into the jsonb.
class JsonbItems {
 public:
  /// The elements of an array.
  static JsonbItems OfArray(JsonbContainer* array);
  /// The names of an object, in the order of jsonb: by length, then by bytes.
  static JsonbItems NamesOf(JsonbContainer* object);
  /// The values of an object, in the order of its names.
  static JsonbItems ValuesOf(JsonbContainer* object);

  /// Goes on to the next item, at first to the first one; false: there was none left.
  bool Next() {
    if (left_ == 0) return false;
    left_--;
    entry_ = *next_++;
    begin_ = end_;
    JBE_ADVANCE_OFFSET(end_, entry_);
    return true;
  }
  bool IsNull() const { return JBE_ISNULL(entry_); }
  /// The item as an object; null: it is none.
  JsonbContainer* AsObject() const;
  /// The item, a string or a name.
  std::string_view AsText() const { return {data_ + begin_, end_ - begin_}; }
  void Get(JsonbValue* value) const;

 private:
  JsonbItems(const JEntry* entries, uint32 count, char* data, uint32 offset)
      : next_(entries), left_(count), data_(data), end_(offset) {}
  JsonbContainer* container() const {
    return reinterpret_cast<JsonbContainer*>(data_ + INTALIGN(begin_));
  }

  const JEntry* next_;
  uint32 left_;
  char* data_;
  JEntry entry_ = 0;  // of the item; its data are from begin_ to end_
  uint32 begin_ = 0;
  uint32 end_;
};

/// The fields of an object.
class JsonbFields {
 public:
  explicit JsonbFields(JsonbContainer* object)
      : names_(JsonbItems::NamesOf(object)), values_(JsonbItems::ValuesOf(object)) {}

  bool Next() { return names_.Next() && values_.Next(); }
  std::string_view name() const { return names_.AsText(); }
  const JsonbItems& value() const { return values_; }

 private:
  JsonbItems names_;
  JsonbItems values_;
};

}  // namespace pgsync::rows
