// What takes incoming rows batch by batch.
#pragma once

#include <vector>

#include "engine/row_store.h"

namespace pgsync::engine {

class BatchSink {
 public:
  virtual ~BatchSink() = default;
  /// Adds a row; `position` grows from row to row and is 1 or more. Copies the values. For leaves.
  virtual void put_row(int64 position, Datum* values, bool* nulls) = 0;
  virtual int64 pending() const = 0;
  /// Does what is to be done with what was put and empties the batch, unless it is better done with
  /// more rows. Raises what ends the call.
  virtual void Apply() = 0;
  /// After the last Apply(): does it with what is left.
  virtual void Finish() { Apply(); }
  /// After Finish(): deals with rows that were put aside.
  virtual void Settle() {}
  /// How many there are.
  virtual int64 postponed() const { return 0; }
};

/// The columns of a batch: those that come, then, of columns whose values were translated, what
/// these were before ("carried").
struct BatchColumns {
  std::vector<size_t> columns;
  std::vector<size_t> carried;

  std::vector<size_t> All() const;
  bool Has(size_t position) const;
  /// The value of a column that comes, in a row "s".
  std::string Value(size_t position) const;
  /// The value that it has at the peer.
  std::string Came(size_t position) const;
};

/// One that keeps the batch in a store.
class StoringSink : public BatchSink {
 public:
  void put_row(int64 position, Datum* values, bool* nulls) override {
    incoming_.put(position, values, nulls);
  }
  int64 pending() const override { return incoming_.rows(); }
  /// The batch, for who fills it by another way than put_row().
  RowStore& incoming() { return incoming_; }

 protected:
  /// `relation`: the name under which it is seen, see RowStore.
  StoringSink(const char* relation, const catalog::Table& target, const BatchColumns& columns);

  RowStore incoming_;
};

}  // namespace pgsync::engine
