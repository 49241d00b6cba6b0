// Rows as JSON objects.
#pragma once

#include <memory>
#include <vector>

#include "catalog/table.h"
#include "rows/canonical.h"
#include "rows/consumer.h"
#include "rows/json_type.h"
#include "rows/jsonb_object.h"

namespace pgsync::rows {

/// The columns of rows that become JSON objects, column names as keys.
class JsonColumns {
 public:
  /// For rows with these columns, in this order.
  explicit JsonColumns(const std::vector<const catalog::Column*>& columns);

 protected:
  struct Field {
    std::string name;
    std::unique_ptr<JsonType> type;
  };

  std::vector<Field> fields_;
  std::vector<Member> members_;
  /// Their names, in the order of jsonb.
  std::vector<std::string> Names() const;
  CanonicalSettings& settings() { return *settings_; }
  MemoryContext scratch() const { return scratch_.get(); }
  MemoryContext lasting() const { return types_context_.get(); }
  /// Empties the scratch, if not after each small row. For leaves.
  void end_row();

 private:
  pg::OwnedContext types_context_;
  pg::OwnedContext scratch_;
  std::unique_ptr<CanonicalSettings> settings_;
};

/// Turns the rows of a scan into jsonb objects and hands each on.
class JsonRows : public RowConsumer, protected JsonColumns {
 public:
  explicit JsonRows(const std::vector<const catalog::Column*>& columns);

  void take_row(TupleTableSlot* slot) final;

 protected:
  /// Takes one object; it lives until the return. For leaves.
  virtual void take_object(Jsonb* object) = 0;

 private:
  JsonbObject object_;
};

/// Makes text of the same objects, the same that jsonb_out() makes of them.
class JsonRowText : private JsonColumns {
 public:
  using JsonColumns::JsonColumns;

  /// Appends the object of a row, in the encoding of the database. For leaves.
  void append_row(ByteBuffer& out, TupleTableSlot* slot);
};

}  // namespace pgsync::rows
