// One row at a time as a JSON object, and its key out of that.
#pragma once

#include <string>
#include <vector>

#include "rows/json_rows.h"

namespace pgsync::rows {

class RowObject : private JsonRows {
 public:
  using JsonRows::JsonRows;

  /// The row as sync_export() shows it, in the current context. For leaves.
  Jsonb* make(TupleTableSlot* slot);

 private:
  void take_object(Jsonb* object) override;

  Jsonb* object_ = nullptr;
};

/// The members of those names. For leaves.
Jsonb* members_of(Jsonb* object, const std::vector<std::string>& names);

}  // namespace pgsync::rows
