// Rows as JSON objects.
#pragma once

#include <memory>
#include <vector>

#include "catalog/table.h"
#include "rows/canonical.h"
#include "rows/consumer.h"
#include "rows/json_type.h"

namespace pgsync::rows {

/// Turns the rows of a scan into jsonb objects, column names as keys, and hands each on.
class JsonRows : public RowConsumer {
 public:
  /// For rows with these columns, in this order.
  explicit JsonRows(const std::vector<const catalog::Column*>& columns);

  void take_row(TupleTableSlot* slot) final;

 protected:
  /// Takes one object; it lives until the return. For leaves.
  virtual void take_object(Jsonb* object) = 0;

 private:
  struct Field {
    std::string name;
    std::unique_ptr<JsonType> type;
  };
  pg::OwnedContext types_context_;
  pg::OwnedContext scratch_;
  std::vector<Field> fields_;
  std::unique_ptr<CanonicalSettings> settings_;
};

}  // namespace pgsync::rows
